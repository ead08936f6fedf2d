//! Invoices as A4 pages, and as hybrids: the pages with the CII inside.
//!
//! **Invariant:** the page shows the sums of [`crate::totals`], the same that stand in the XML; the same invoice and options
//! give the same bytes. A letter that no font has is drawn as 〓 and reported, so that a rare name never stops an invoice.
//!
//! Row S20. Source: ISO 19005-3 (PDF/A-3U); Factur-X 1.0 / ZUGFeRD 2.

mod canvas;
mod fapiao;
mod fonts;
mod labels;
mod layout;

use std::collections::BTreeSet;
use std::time::{Duration, SystemTime};

use en16931::{En16931, XRechnung};
use en16931_formats::zugferd::{self, EmbedOptions, Metadata, Relationship};
use onescan_domain::money::Currency;

use canvas::About;
pub use fapiao::FapiaoTitles;
use fonts::Fonts;
pub use labels::Language;

use crate::check::{Fault, Problem};
use crate::date::Date;
use crate::invoice::{Invoice, Kind};
use crate::totals::Totals;
use crate::xml::{self, Profile, WriteError};

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PageOptions {
    pub language: Language,
    /// Stands in the file as the day on which it was made.
    pub written_on: Date,
}

/// Profiles that have a hybrid form; Peppol has none.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum HybridProfile {
    /// `factur-x.xml`
    Core,
    /// `xrechnung.xml`
    XRechnung,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Rendered {
    pub pdf: Vec<u8>,
    /// Letters drawn as 〓 because no font of ours has them.
    pub replaced: BTreeSet<char>,
}

#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum PdfError {
    #[error("the invoice is not complete: {}", xml::joined(.0))]
    Incomplete(Vec<Problem>),
    #[error(transparent)]
    Xml(#[from] WriteError),
    #[error("the page cannot be drawn: {0}")]
    Drawing(String),
    #[error("the XML cannot be embedded: {0}")]
    Embedding(String),
}

/// PDF/A-3U pages, without XML inside. The currency's thousandths may be used here.
///
/// Above a thousand lines the pages show sums, and the files that are attached to the invoice lie inside the PDF; time grows
/// with the number of lines up to there, and hardly beyond.
pub fn pages(invoice: &Invoice, options: PageOptions) -> Result<Rendered, PdfError> {
    let problems: Vec<Problem> = invoice
        .check(Profile::Core)
        .into_iter()
        .filter(|problem| problem.fault != Fault::TooFine)
        .collect();
    if !problems.is_empty() {
        return Err(PdfError::Incomplete(problems));
    }
    let totals = Totals::of(invoice).map_err(|error| PdfError::Drawing(error.to_string()))?;
    let fonts = Fonts::new();
    let sheets = layout::lay_out(invoice, &totals, options.language, &fonts);
    rendered(invoice, &sheets, &fonts, options)
}

fn rendered(
    invoice: &Invoice,
    sheets: &[canvas::Sheet],
    fonts: &Fonts,
    options: PageOptions,
) -> Result<Rendered, PdfError> {
    let replaced = sheets
        .iter()
        .flat_map(canvas::Sheet::texts)
        .flat_map(|text| fonts.missing(text))
        .collect();
    let about = About {
        title: title(invoice, options.language),
        author: invoice.seller.name.clone(),
        language: options.language.tag(),
        written_on: options.written_on,
    };
    let inside = match layout::is_summed_up(invoice) {
        true => invoice.attachments.as_slice(),
        false => &[],
    };
    Ok(Rendered {
        pdf: canvas::draw(sheets, fonts, about, inside)?,
        replaced,
    })
}

/// PDF/A-3U pages in the form of a Chinese fapiao, marked on every sheet as not issued by the tax authority; without XML
/// inside. Refuses with `Incomplete` what [`pages`] refuses, and every currency but the yuan, whose words the form has.
pub fn fapiao(invoice: &Invoice, titles: &FapiaoTitles, written_on: Date) -> Result<Rendered, PdfError> {
    let mut problems = invoice.check(Profile::Core);
    if invoice.currency != Currency::CNY {
        problems.push(Problem {
            field: "currency".to_owned(),
            term: "BT-5",
            fault: Fault::Malformed,
        });
    }
    if !problems.is_empty() {
        return Err(PdfError::Incomplete(problems));
    }
    let totals = Totals::of(invoice).map_err(|error| PdfError::Drawing(error.to_string()))?;
    let fonts = Fonts::new();
    let sheets = fapiao::lay_out(invoice, &totals, titles, &fonts);
    let options = PageOptions {
        language: Language::Chinese,
        written_on,
    };
    rendered(invoice, &sheets, &fonts, options)
}

/// Factur-X / ZUGFeRD: the pages with the CII of `profile` attached.
pub fn hybrid(invoice: &Invoice, profile: HybridProfile, options: PageOptions) -> Result<Rendered, PdfError> {
    let modified = u64::try_from(options.written_on.days_since_1970()).unwrap_or_default() * 24 * 60 * 60;
    let embedding = EmbedOptions {
        relationship: Relationship::Alternative,
        metadata: Some(Metadata {
            title: title(invoice, options.language),
            subject: title(invoice, options.language),
            author: invoice.seller.name.clone(),
        }),
        modified: Some(SystemTime::UNIX_EPOCH + Duration::from_secs(modified)),
    };
    let (pages, embedded) = match profile {
        HybridProfile::Core => {
            let proof = xml::proof::<En16931>(invoice, Profile::Core)?;
            let pages = pages(invoice, options)?;
            let embedded = zugferd::embed(&pages.pdf, &proof, &embedding);
            (pages, embedded)
        }
        HybridProfile::XRechnung => {
            let proof = xml::proof::<XRechnung>(invoice, Profile::XRechnung)?;
            let pages = pages(invoice, options)?;
            let embedded = zugferd::embed(&pages.pdf, &proof, &embedding);
            (pages, embedded)
        }
    };
    Ok(Rendered {
        pdf: embedded.map_err(|error| PdfError::Embedding(error.to_string()))?,
        ..pages
    })
}

/// Whether the pages of `invoice` show sums instead of its lines, so that they need no XML inside.
pub fn is_summed_up(invoice: &Invoice) -> bool {
    layout::is_summed_up(invoice)
}

/// `Seller: Invoice 2026-1`.
fn title(invoice: &Invoice, language: Language) -> String {
    let labels = language.labels();
    let kind = match invoice.kind {
        Kind::Invoice => labels.invoice,
        Kind::CreditNote { .. } => labels.credit_note,
    };
    format!("{}: {kind} {}", invoice.seller.name, invoice.number)
}
