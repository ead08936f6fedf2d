//! Every document passes the official rules and schemas.

use std::fs;

use onescan_einvoice::Invoice;
use onescan_einvoice::xml::{self, Profile, Syntax};

use crate::{documents, random, tools};

const PROFILES: [(&str, Profile); 3] = [
    ("core", Profile::Core),
    ("xrechnung", Profile::XRechnung),
    ("peppol", Profile::Peppol),
];

#[test]
fn s20_every_xml_passes_the_official_rules() {
    let named = documents::all()
        .into_iter()
        .map(|(name, invoice)| (name.to_owned(), invoice));
    let samples = random::samples(30).into_iter().enumerate();
    let samples = samples.map(|(index, invoice)| (format!("random{index}"), invoice));
    check("einvoice-xml", named.chain(samples).collect(), &PROFILES);
}

#[test]
fn r09_many_rides_pass_the_official_rules() {
    let rides = ("rides".to_owned(), documents::rides(300));
    check("einvoice-many-rides", vec![rides], &PROFILES[1..2]);
}

/// Each invoice under each profile in both syntaxes; one run of the rules for all of them.
fn check(folder: &str, invoices: Vec<(String, Invoice)>, profiles: &[(&str, Profile)]) {
    let folder = tools::empty_folder(folder);
    let (mut files, mut refusals) = (Vec::new(), Vec::new());
    for (name, invoice) in invoices {
        for (profile_name, profile) in profiles {
            for (syntax_name, syntax) in [("ubl", Syntax::Ubl), ("cii", Syntax::Cii)] {
                let file = folder.join(format!("{name}.{profile_name}.{syntax_name}.xml"));
                match xml::write(&invoice, syntax, *profile) {
                    Ok(text) => fs::write(&file, text).expect("the folder can be written"),
                    Err(error) => refusals.push(format!("{}: {error}", file.display())),
                }
                files.push(file);
            }
        }
    }
    assert_eq!(refusals, [""; 0]);
    assert_eq!(tools::faults("validate.py", &files), "");
}
