//! Every document passes the official rules and schemas.

use std::fs;

use onescan_einvoice::xml::{self, Profile, Syntax};

use crate::{documents, random, tools};

const PROFILES: [(&str, Profile); 3] = [
    ("core", Profile::Core),
    ("xrechnung", Profile::XRechnung),
    ("peppol", Profile::Peppol),
];

#[test]
fn s20_every_xml_passes_the_official_rules() {
    let folder = tools::empty_folder("einvoice-xml");
    let (mut files, mut refusals) = (Vec::new(), Vec::new());
    let named = documents::all()
        .into_iter()
        .map(|(name, invoice)| (name.to_owned(), invoice));
    let samples = random::samples(30).into_iter().enumerate();
    let samples = samples.map(|(index, invoice)| (format!("random{index}"), invoice));
    for (name, invoice) in named.chain(samples) {
        for (profile_name, profile) in PROFILES {
            for (syntax_name, syntax) in [("ubl", Syntax::Ubl), ("cii", Syntax::Cii)] {
                let file = folder.join(format!("{name}.{profile_name}.{syntax_name}.xml"));
                match xml::write(&invoice, syntax, profile) {
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
