//! `onescan keys`: the small authority by which services prove themselves to each other.

use std::io::Write;
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail, ensure};
use clap::{Args, Subcommand};
use jiff::civil::Date;
use jiff::tz::TimeZone;
use jiff::{Timestamp, ToSpan};
use onescan_platforms::env::Clock;
use rcgen::{
    BasicConstraints, CertificateParams, DnType, ExtendedKeyUsagePurpose, IsCa, Issuer, KeyPair, KeyUsagePurpose,
    date_time_ymd,
};
use x509_parser::pem::Pem;

use super::output::Record;
use super::{Desk, Finding};
use crate::env::SystemClock;
use crate::tls::{AUTHORITIES, SERVICES, files_of, host_of};

const AFTER_HELP: &str = "\
The folder is `platforms.keys_folder`, or `keys` in the data folder. A service needs `authorities.pem` and its own
two files there, and nothing else; authority.key stays where the keys are made. Running servers read new files by
themselves.

Exchanging the authority, without an interruption:
  onescan keys rotate --authority    a second one is trusted from now on; copy authorities.pem to every service
  onescan keys rotate --authority    it signs all certificates anew; copy each service its two files
  onescan keys retire                the old one is trusted no more; copy authorities.pem to every service";

/// Keys for services that live apart.
#[derive(Debug, Subcommand)]
#[command(after_help = AFTER_HELP)]
pub enum KeysCommand {
    /// Make the authority and the certificates that are missing
    Make(Lifetime),
    /// Say what is there and until when it holds; status 1 when something ends within thirty days
    Show,
    /// Make all certificates anew, or prepare and then take up another authority
    Rotate(Rotate),
    /// Trust earlier authorities no more
    Retire,
}

#[derive(Debug, Clone, Copy, Args)]
pub struct Lifetime {
    /// Days that certificates of services hold
    #[arg(long, default_value_t = 180, value_parser = clap::value_parser!(u16).range(1..=800))]
    days: u16,
}

#[derive(Debug, Args)]
pub struct Rotate {
    #[command(flatten)]
    lifetime: Lifetime,
    /// The first time: a second authority is trusted too. The next time: it signs
    #[arg(long)]
    authority: bool,
}

/// The authority that signs, and the one that will.
const CURRENT: &str = "authority";
const NEXT: &str = "authority-next";
const AUTHORITY_YEARS: i64 = 10;
/// `show` warns this long before something ends.
const SOON_DAYS: i64 = 30;

impl KeysCommand {
    pub(super) fn run(self, desk: &Desk) -> Result<Finding> {
        let folder = desk.config().keys_folder();
        match self {
            Self::Show => {}
            Self::Make(lifetime) => make(&folder, lifetime)?,
            Self::Rotate(Rotate { lifetime, authority }) => match authority {
                true => rotate_authority(&folder, lifetime)?,
                false => sign_all(&folder, lifetime)?,
            },
            Self::Retire => retire(&folder)?,
        }
        show(desk, &folder)
    }
}

fn make(folder: &Path, lifetime: Lifetime) -> Result<()> {
    std::fs::create_dir_all(folder).with_context(|| format!("the folder {} cannot be made", folder.display()))?;
    if !files_of(folder, CURRENT).0.exists() {
        ensure!(
            !folder.join(AUTHORITIES).exists(),
            "{} has an authority of another machine: make keys there and copy them",
            folder.display()
        );
        make_authority(folder, CURRENT)?;
        trust(folder, &[CURRENT])?;
    }
    for service in SERVICES {
        if !files_of(folder, service).0.exists() {
            sign(folder, service, lifetime)?;
        }
    }
    Ok(())
}

fn rotate_authority(folder: &Path, lifetime: Lifetime) -> Result<()> {
    signer(folder)?;
    let (current, next) = (files_of(folder, CURRENT), files_of(folder, NEXT));
    if !next.0.exists() {
        make_authority(folder, NEXT)?;
        let trusted = std::fs::read_to_string(folder.join(AUTHORITIES))?;
        let newest = std::fs::read_to_string(&next.0)?;
        return write(&folder.join(AUTHORITIES), &format!("{newest}{trusted}"), 0o644);
    }
    std::fs::rename(&next.1, &current.1)?;
    std::fs::rename(&next.0, &current.0)?;
    sign_all(folder, lifetime)
}

fn sign_all(folder: &Path, lifetime: Lifetime) -> Result<()> {
    SERVICES
        .into_iter()
        .try_for_each(|service| sign(folder, service, lifetime))
}

fn retire(folder: &Path) -> Result<()> {
    let prepared = files_of(folder, NEXT).0.exists();
    trust(folder, if prepared { &[NEXT, CURRENT] } else { &[CURRENT] })
}

/// Writes whom services trust.
fn trust(folder: &Path, authorities: &[&str]) -> Result<()> {
    let texts = authorities
        .iter()
        .map(|name| std::fs::read_to_string(files_of(folder, name).0));
    let texts = texts
        .collect::<std::io::Result<Vec<_>>>()
        .with_context(|| not_here(folder))?;
    write(&folder.join(AUTHORITIES), &texts.concat(), 0o644)
}

fn not_here(folder: &Path) -> String {
    format!(
        "{} has no authority: run `onescan keys make`, where keys are made",
        folder.display()
    )
}

fn make_authority(folder: &Path, name: &str) -> Result<()> {
    let today = today();
    let mut params = CertificateParams::new(Vec::new())?;
    params
        .distinguished_name
        .push(DnType::CommonName, format!("Onescan authority of {today}"));
    params.is_ca = IsCa::Ca(BasicConstraints::Constrained(0));
    params.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
    hold(&mut params, today, today.saturating_add(AUTHORITY_YEARS.years()));
    let key = KeyPair::generate()?;
    let certificate = params.self_signed(&key)?;
    save(folder, name, &certificate.pem(), &key)
}

fn signer(folder: &Path) -> Result<Issuer<'static, KeyPair>> {
    let (certificate, key) = files_of(folder, CURRENT);
    let read = |path: &PathBuf| std::fs::read_to_string(path).with_context(|| not_here(folder));
    let key = KeyPair::from_pem(&read(&key)?).context("the authority's key cannot be read")?;
    Ok(Issuer::from_ca_cert_pem(&read(&certificate)?, key)?)
}

fn sign(folder: &Path, service: &str, lifetime: Lifetime) -> Result<()> {
    let today = today();
    let mut params = CertificateParams::new(vec![host_of(service)])?;
    params.distinguished_name.push(DnType::CommonName, host_of(service));
    params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth, ExtendedKeyUsagePurpose::ClientAuth];
    params.use_authority_key_identifier_extension = true;
    hold(
        &mut params,
        today,
        today.saturating_add(i64::from(lifetime.days).days()),
    );
    let key = KeyPair::generate()?;
    let certificate = params.signed_by(&key, &signer(folder)?)?;
    save(folder, service, &certificate.pem(), &key)
}

/// From the day before, for machines whose clocks differ.
fn hold(params: &mut CertificateParams, from: Date, until: Date) {
    let instant = |date: Date| date_time_ymd(date.year().into(), date.month() as u8, date.day() as u8);
    params.not_before = instant(from.saturating_sub(1.days()));
    params.not_after = instant(until);
}

fn today() -> Date {
    let now = Timestamp::from_millisecond(SystemClock.now_ms()).unwrap_or(Timestamp::UNIX_EPOCH);
    now.to_zoned(TimeZone::UTC).date()
}

/// The key first: a server that looks between the two writes keeps what it has, since the pair does not fit.
fn save(folder: &Path, name: &str, certificate: &str, key: &KeyPair) -> Result<()> {
    let files = files_of(folder, name);
    write(&files.1, &key.serialize_pem(), 0o600)?;
    write(&files.0, certificate, 0o644)
}

/// Whole or not at all.
fn write(path: &Path, text: &str, mode: u32) -> Result<()> {
    let fresh = path.with_extension("new");
    let written = || -> std::io::Result<()> {
        let mut options = std::fs::OpenOptions::new();
        let mut file = options
            .write(true)
            .create(true)
            .truncate(true)
            .mode(mode)
            .open(&fresh)?;
        file.write_all(text.as_bytes())?;
        file.sync_all()?;
        std::fs::rename(&fresh, path)
    };
    written().with_context(|| format!("{} cannot be written", path.display()))
}

fn show(desk: &Desk, folder: &Path) -> Result<Finding> {
    let mut rows = Vec::new();
    let mut soon = false;
    for (name, path) in certificates(folder) {
        let text = std::fs::read(&path).with_context(|| format!("{} cannot be read", path.display()))?;
        for pem in Pem::iter_from_buffer(&text) {
            let pem = pem.with_context(|| format!("{} is not a certificate", path.display()))?;
            let certificate = pem
                .parse_x509()
                .with_context(|| format!("{} is not a certificate", path.display()))?;
            let until_s = certificate.validity().not_after.timestamp();
            let days = (until_s - SystemClock.now_ms() / 1_000).div_euclid(86_400);
            soon |= days < SOON_DAYS;
            rows.push(
                Record::new()
                    .with("name", name.as_str())
                    .with("subject", certificate.subject().to_string())
                    .with("issuer", certificate.issuer().to_string())
                    .with("until", super::instant(until_s * 1_000))
                    .with("days_left", days.to_string())
                    .with("what_to_do", (days < SOON_DAYS).then_some("onescan keys rotate")),
            );
        }
    }
    if rows.is_empty() {
        bail!("{} has no keys; make them with `onescan keys make`", folder.display());
    }
    desk.output.list(rows, "no keys")?;
    Ok(if soon { Finding::Wrong } else { Finding::Well })
}

fn certificates(folder: &Path) -> Vec<(String, PathBuf)> {
    let services = SERVICES
        .iter()
        .map(|service| ((*service).to_owned(), files_of(folder, service).0));
    let trusted = ("trusted".to_owned(), folder.join(AUTHORITIES));
    std::iter::once(trusted)
        .chain(services)
        .filter(|(_, path)| path.exists())
        .collect()
}
