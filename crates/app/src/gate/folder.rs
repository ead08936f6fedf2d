//! A gate's folder: its key, its journal, and what it last heard from the server.
//!
//! | file | what |
//! |---|---|
//! | `gate.key` | 32 bytes as hexadecimal; whoever has it can write journals |
//! | `journal` | framed records, only ever appended to |
//! | `known.json` | operator, issuer's keys, how far the server has the journal |
//! | `deny-list` | signed by the gate's own key after the issuer's was checked |

use std::fs::{self, File, OpenOptions};
use std::io::{Read, Write};
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail};
use onescan_gate::deny::{DenyList, Document};
use onescan_gate::journal::{self, Head, Record, Tail};
use onescan_gate::keys::{Algorithm, PublicKey, SigningKey, hex, unhex};
use onescan_gate::verify::{IssuerKey, IssuerKeys};
use onescan_platforms::env::Entropy;
use serde::{Deserialize, Serialize};

use crate::env::SystemEntropy;

/// What the server has told.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub struct Known {
    /// `ter_…`
    pub terminal: String,
    /// `mer_…`
    pub operator: String,
    pub keys: Vec<KnownKey>,
    /// The server has the journal up to this number.
    pub uploaded: u64,
    /// What arrived at the server before this instant was heard of.
    pub heard_until: String,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct KnownKey {
    pub algorithm: String,
    /// Hexadecimal.
    pub key: String,
    pub from_s: i64,
    pub until_s: i64,
}

impl Known {
    pub fn issuer_keys(&self) -> Result<IssuerKeys> {
        let read = |known: &KnownKey| {
            let algorithm = Algorithm::parse(&known.algorithm)?;
            let key = PublicKey::read(algorithm, &unhex(&known.key)?)?;
            Some(IssuerKey {
                key,
                from_s: known.from_s,
                until_s: known.until_s,
            })
        };
        let keys = self.keys.iter().map(read).collect::<Option<Vec<_>>>();
        keys.map(IssuerKeys::new).context("known.json holds no issuer's keys")
    }
}

pub struct Folder {
    path: PathBuf,
    pub key: SigningKey,
    journal: File,
    head: Head,
    /// Signed records with their numbers that the server may not have.
    waiting: Vec<(u64, Vec<u8>)>,
    pub known: Known,
    /// What the journal held when it was opened.
    pub recovered: Vec<Record>,
}

impl Folder {
    /// Makes what is missing. Cuts a torn record off the journal's end; refuses a journal that was changed, and one that
    /// another gate has open.
    pub fn open(path: &Path) -> Result<Self> {
        fs::create_dir_all(path).with_context(|| format!("the folder {} cannot be made", path.display()))?;
        let key = signing_key(&path.join("gate.key"))?;
        let file = path.join("journal");
        let mut journal = OpenOptions::new()
            .read(true)
            .append(true)
            .create(true)
            .open(&file)
            .with_context(|| format!("{} cannot be opened", file.display()))?;
        if rustix::fs::flock(&journal, rustix::fs::FlockOperation::NonBlockingLockExclusive).is_err() {
            bail!("another gate uses the folder {}", path.display());
        }
        let known = read_known(&path.join("known.json"))?;
        let mut bytes = Vec::new();
        journal.read_to_end(&mut bytes)?;
        let found = journal::recover(&bytes, &key.public());
        match found.tail {
            Tail::Clean => {}
            Tail::Torn => {
                tracing::warn!(
                    bytes = bytes.len() - found.good,
                    "the journal ended in the middle of a record; it is cut off"
                );
                journal.set_len(found.good as u64)?;
                journal.sync_all()?;
            }
            Tail::Foreign => bail!(
                "{}: after record {} it is not this gate's own chain any more; keep the file for inquiry and start with \
                 another folder",
                file.display(),
                found.head.sequence
            ),
        }
        File::open(path)?.sync_all()?;
        let (mut waiting, mut recovered) = (Vec::new(), Vec::new());
        for (bytes, record) in found.records {
            if record.sequence > known.uploaded {
                waiting.push((record.sequence, bytes));
            }
            recovered.push(record);
        }
        Ok(Self {
            path: path.to_owned(),
            key,
            journal,
            head: found.head,
            waiting,
            known,
            recovered,
        })
    }

    pub fn head(&self) -> Head {
        self.head
    }

    /// Signs and writes one record; an accepted one is on the disk when this returns.
    pub fn append(&mut self, record: &Record) -> Result<()> {
        let signed = record.sign(&self.key);
        let written = self.journal.write_all(&journal::framed(&signed));
        written.context("the journal cannot be written; nothing more is let through")?;
        if record.is_accepted() {
            self.journal
                .sync_data()
                .context("the journal cannot be made durable; nothing more is let through")?;
        }
        self.head = self.head.after(&signed);
        self.waiting.push((record.sequence, signed));
        Ok(())
    }

    /// The oldest records that the server may not have.
    pub fn waiting(&self, most: usize) -> Vec<(u64, Vec<u8>)> {
        self.waiting.iter().take(most).cloned().collect()
    }

    /// The server has everything up to `sequence`.
    pub fn uploaded(&mut self, sequence: u64) -> Result<()> {
        self.waiting.retain(|(number, _)| *number > sequence);
        self.known.uploaded = self.known.uploaded.max(sequence);
        self.keep_known()
    }

    pub fn keep_known(&self) -> Result<()> {
        let text = serde_json::to_vec_pretty(&self.known)?;
        replace(&self.path.join("known.json"), &text)
    }

    pub fn deny_list(&self) -> Result<Option<Document>> {
        let path = self.path.join("deny-list");
        let bytes = match fs::read(&path) {
            Ok(bytes) => bytes,
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(None),
            Err(error) => return Err(error).with_context(|| format!("{} cannot be read", path.display())),
        };
        let own = IssuerKeys::new([IssuerKey {
            key: self.key.public(),
            from_s: i64::MIN,
            until_s: i64::MAX,
        }]);
        match Document::open(&bytes, &own) {
            Ok(document) => Ok(Some(document)),
            Err(error) => {
                tracing::warn!(%error, "the kept deny list is not used; the next one will be fetched whole");
                Ok(None)
            }
        }
    }

    pub fn keep_deny_list(&self, list: &DenyList) -> Result<()> {
        replace(&self.path.join("deny-list"), &list.document().sign(&self.key))
    }
}

/// Whole or not at all, also when the power goes.
fn replace(path: &Path, bytes: &[u8]) -> Result<()> {
    let folder = path.parent().context("a file has a folder")?;
    let mut file = tempfile::NamedTempFile::new_in(folder)?;
    file.write_all(bytes)?;
    file.as_file().sync_all()?;
    file.persist(path)?;
    File::open(folder)?.sync_all()?;
    Ok(())
}

fn read_known(path: &Path) -> Result<Known> {
    match fs::read(path) {
        Ok(bytes) => {
            serde_json::from_slice(&bytes).with_context(|| format!("{} is not what a gate wrote", path.display()))
        }
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(Known::default()),
        Err(error) => Err(error).with_context(|| format!("{} cannot be read", path.display())),
    }
}

fn signing_key(path: &Path) -> Result<SigningKey> {
    match fs::read_to_string(path) {
        Ok(text) => {
            let seed = unhex(text.trim()).and_then(|bytes| <[u8; 32]>::try_from(bytes).ok());
            let seed = seed.with_context(|| format!("{} does not hold 64 hexadecimal digits", path.display()))?;
            Ok(SigningKey::ed25519(&seed))
        }
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => {
            let mut seed = [0; 32];
            SystemEntropy::default().fill(&mut seed);
            // A temporary file is readable by its owner alone, and stays so.
            replace(path, format!("{}\n", hex(&seed)).as_bytes())?;
            Ok(SigningKey::ed25519(&seed))
        }
        Err(error) => Err(error).with_context(|| format!("{} cannot be read", path.display())),
    }
}
