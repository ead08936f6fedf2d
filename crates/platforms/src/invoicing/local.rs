//! The invoice platform inside this process: takes the number, renders the document, keeps it.
//!
//! A document is rendered and stored under its hash *before* the transaction that takes its number, because neither
//! rendering nor a slow document store may hold that transaction open. The number is taken as a guess: the transaction
//! succeeds only if it is still the next one. Within a server the documents of one series are made one after the other, so a
//! guess fails only when another server was faster; then the document is rendered again with the next number. A crash before
//! the commit leaves bytes that nothing names, never a gap.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use async_trait::async_trait;
use onescan_domain::ids::MerchantId;
use onescan_domain::money::Money;
use onescan_einvoice::invoice::Kind;
use onescan_einvoice::pdf::{self, HybridProfile, PageOptions};
use onescan_einvoice::xml::{self, Profile};
use onescan_einvoice::{Date, Fault, Invoice, Totals};
use sha2::{Digest, Sha256};

use super::{
    CreditRequest, DocumentKey, FileFacts, Format, Invoicing, IssueRequest, IssuedDocument, IssuerProfile, Refused,
    Standing,
};
use crate::env::{Env, fingerprint, hex};
use crate::error::{PlatformError, Result};

/// An issued document as the issuer keeps it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StoredDocument {
    pub merchant: MerchantId,
    pub key: DocumentKey,
    /// Over what the request asked for.
    pub fingerprint: String,
    pub series: String,
    /// From 1, gap-free in its series.
    pub running: i64,
    pub number: String,
    /// Of a credit note: the key of the invoice.
    pub original: Option<DocumentKey>,
    pub issued_on: Date,
    pub issued_at: i64,
    pub gross: Money,
    pub files: Vec<FileFacts>,
}

/// What became of an attempt to take a number.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Taken {
    Done,
    /// Another document has this number, or this key has a document.
    Late,
    /// The invoice has less left than the credit note says.
    TooMuch,
}

/// What the in-process issuer needs from the store.
#[async_trait]
pub trait IssuerStore: Send + Sync {
    async fn find_document(&self, merchant: MerchantId, key: DocumentKey) -> Result<Option<StoredDocument>>;
    /// 0 for a new series.
    async fn last_number(&self, merchant: MerchantId, series: &str) -> Result<i64>;
    /// In one commit: moves the series from the number before to this one, and writes the document with its files. A credit
    /// note is `TooMuch` when its invoice's credit notes would come to more than the invoice. Nothing is written but on `Done`.
    async fn insert_document(&self, document: &StoredDocument) -> Result<Taken>;
}

/// Where documents lie: bytes under their own hash, written once.
#[async_trait]
pub trait DocumentStore: Send + Sync {
    /// Durable when it returns; the same bytes again change nothing.
    async fn put(&self, sha256: &str, bytes: Vec<u8>) -> Result<()>;
    async fn get(&self, sha256: &str) -> Result<Option<Vec<u8>>>;
}

/// Hexadecimal SHA-256, the name of a document's bytes.
pub fn name_of(bytes: &[u8]) -> String {
    hex(&Sha256::digest(bytes))
}

type Lane = Arc<tokio::sync::Mutex<()>>;

pub struct LocalInvoicing {
    env: Env,
    store: Arc<dyn IssuerStore>,
    files: Arc<dyn DocumentStore>,
    lanes: Mutex<HashMap<MerchantId, Lane>>,
}

impl std::fmt::Debug for LocalInvoicing {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("LocalInvoicing").finish_non_exhaustive()
    }
}

/// How often a number is guessed before the caller is told to come again.
const GUESSES: usize = 20;

impl LocalInvoicing {
    pub fn new(env: Env, store: Arc<dyn IssuerStore>, files: Arc<dyn DocumentStore>) -> Self {
        Self {
            env,
            store,
            files,
            lanes: Mutex::default(),
        }
    }

    fn lane(&self, merchant: MerchantId) -> Lane {
        let mut lanes = self.lanes.lock().unwrap_or_else(PoisonError::into_inner);
        lanes.entry(merchant).or_default().clone()
    }

    async fn make(
        &self,
        key: DocumentKey,
        original: Option<DocumentKey>,
        issuer: IssuerProfile,
        mut document: Invoice,
    ) -> Result<Standing> {
        let asked = fingerprint_of(&document);
        if let Err(refused) = acceptable(&mut document) {
            return Ok(match self.store.find_document(issuer.merchant, key).await? {
                Some(issued) => standing(issued, &asked),
                None => Standing::Refused(refused),
            });
        }
        let lane = self.lane(issuer.merchant);
        let _turn = lane.lock().await;
        let series = issuer.numbering.series(&document.kind, document.issued_on.year());
        for _ in 0..GUESSES {
            if let Some(issued) = self.store.find_document(issuer.merchant, key).await? {
                return Ok(standing(issued, &asked));
            }
            let running = self.store.last_number(issuer.merchant, &series).await? + 1;
            document.number = issuer.numbering.number(&series, running);
            let (number, issued_on) = (document.number.clone(), document.issued_on);
            let gross = gross_of(&document)?;
            let files;
            (document, files) = self.write(document, issuer.language).await?;
            let stored = StoredDocument {
                merchant: issuer.merchant,
                key,
                fingerprint: asked.clone(),
                series: series.clone(),
                running,
                number,
                original,
                issued_on,
                issued_at: self.env.now_ms(),
                gross,
                files,
            };
            match self.store.insert_document(&stored).await? {
                Taken::Done => return Ok(standing(stored, &asked)),
                Taken::Late => {}
                Taken::TooMuch => return Ok(refused("amount", "more would be credited than the invoice says")),
            }
        }
        Err(PlatformError::Busy)
    }

    /// Renders every form off the threads that serve requests, and stores the bytes: one form after the other, because a
    /// document of 100,000 lines has 200 MB in some. Gives the document back.
    async fn write(&self, document: Invoice, language: pdf::Language) -> Result<(Invoice, Vec<FileFacts>)> {
        let document = Arc::new(document);
        let mut files = Vec::new();
        for format in Format::ALL.iter().copied() {
            let shared = document.clone();
            let rendering = tokio::task::spawn_blocking(move || {
                let bytes = render(&shared, format, language)?;
                Ok::<_, PlatformError>(bytes.map(|bytes| (name_of(&bytes), bytes)))
            });
            let Some((sha256, bytes)) = rendering.await.map_err(PlatformError::internal)?? else {
                continue;
            };
            let size = bytes.len() as u64;
            self.files.put(&sha256, bytes).await?;
            files.push(FileFacts {
                format,
                sha256,
                bytes: size,
            });
        }
        // Nobody else holds it: the threads that rendered are done.
        Ok((Arc::unwrap_or_clone(document), files))
    }
}

#[async_trait]
impl Invoicing for LocalInvoicing {
    async fn issue(&self, request: IssueRequest) -> Result<Standing> {
        if request.draft.document.kind != Kind::Invoice {
            return Ok(refused("kind", "an invoice is asked for, a credit note was sent"));
        }
        self.make(request.key(), None, request.issuer, request.draft.document)
            .await
    }

    async fn credit(&self, request: CreditRequest) -> Result<Standing> {
        let original = DocumentKey::Invoice(request.of);
        let Kind::CreditNote { original: named } = &request.draft.document.kind else {
            return Ok(refused("kind", "a credit note is asked for, an invoice was sent"));
        };
        let invoice = self.store.find_document(request.issuer.merchant, original).await?;
        if invoice.is_none_or(|invoice| invoice.number != named.number) {
            return Ok(refused(
                "kind.original.number",
                "there is no such invoice of this issuer",
            ));
        }
        self.make(request.key(), Some(original), request.issuer, request.draft.document)
            .await
    }

    async fn status(&self, issuer: MerchantId, key: DocumentKey) -> Result<Standing> {
        let found = self.store.find_document(issuer, key).await?;
        Ok(found.map_or(Standing::Unknown, |document| Standing::Issued(issued(document))))
    }

    async fn fetch(&self, issuer: MerchantId, key: DocumentKey, format: Format) -> Result<Option<Vec<u8>>> {
        let found = self.store.find_document(issuer, key).await?;
        let files = found.map(|document| document.files).unwrap_or_default();
        let Some(file) = files.into_iter().find(|file| file.format == format) else {
            return Ok(None);
        };
        let bytes = self.files.get(&file.sha256).await?;
        match bytes {
            Some(bytes) if name_of(&bytes) == file.sha256 => Ok(Some(bytes)),
            Some(_) => Err(PlatformError::internal(format!("document {} was changed", file.sha256))),
            None => Err(PlatformError::internal(format!("document {} is missing", file.sha256))),
        }
    }
}

fn refused(field: &str, reason: &str) -> Standing {
    Standing::Refused(Refused {
        field: field.to_owned(),
        reason: reason.to_owned(),
    })
}

fn standing(document: StoredDocument, asked: &str) -> Standing {
    match document.fingerprint == asked {
        true => Standing::Issued(issued(document)),
        false => refused("", "another document was issued under this key"),
    }
}

fn issued(document: StoredDocument) -> IssuedDocument {
    IssuedDocument {
        number: document.number,
        issued_on: document.issued_on,
        issued_at: document.issued_at,
        gross: document.gross,
        files: document.files,
    }
}

/// Over what makes two requests different for the buyer; the same in every version of this program.
fn fingerprint_of(document: &Invoice) -> String {
    let original = match &document.kind {
        Kind::Invoice => "",
        Kind::CreditNote { original } => &original.number,
    };
    let totals = Totals::of(document);
    let gross = totals.map_or_else(|_| String::new(), |totals| totals.gross.to_string());
    let lines = document.lines.len().to_string();
    fingerprint(&[
        original.as_bytes(),
        document.seller.name.as_bytes(),
        document.buyer.name.as_bytes(),
        document.currency.code().as_bytes(),
        gross.as_bytes(),
        lines.as_bytes(),
    ])
}

fn gross_of(document: &Invoice) -> Result<Money> {
    let totals = Totals::of(document).map_err(PlatformError::internal)?;
    Ok(Money::new(totals.gross, document.currency))
}

/// The first thing that keeps it from being written under the standard's core. Leaves a number in it.
fn acceptable(document: &mut Invoice) -> Result<(), Refused> {
    "1".clone_into(&mut document.number);
    let problems = document.check(Profile::Core).into_iter();
    match problems.into_iter().find(|problem| problem.fault != Fault::TooFine) {
        Some(problem) => Err(Refused {
            reason: problem.to_string(),
            field: problem.field,
        }),
        None => Ok(()),
    }
}

/// No portal that asks for a usage specification takes files of this many lines.
const LINES_OF_SPECIFICATIONS_MAX: usize = 10_000;

/// `None`: the document does not fit the form. The standard has no XML for some currencies, and a specification has rules
/// that only its writer knows.
fn render(document: &Invoice, format: Format, language: pdf::Language) -> Result<Option<Vec<u8>>> {
    let options = PageOptions {
        language,
        written_on: document.issued_on,
    };
    let text = match format {
        Format::Pdf => return pages(document, options).map(Some).map_err(PlatformError::internal),
        Format::Ubl if is_core(document) => Some(xml::ubl(document, Profile::Core).map_err(PlatformError::internal)?),
        Format::Cii if is_core(document) => Some(xml::cii(document, Profile::Core).map_err(PlatformError::internal)?),
        Format::Ubl | Format::Cii => None,
        Format::XRechnung => specified(document, Profile::XRechnung),
        Format::Peppol => specified(document, Profile::Peppol),
    };
    Ok(text.map(String::into_bytes))
}

fn is_core(document: &Invoice) -> bool {
    document.check(Profile::Core).is_empty()
}

fn specified(document: &Invoice, profile: Profile) -> Option<String> {
    let is_short = document.lines.len() <= LINES_OF_SPECIFICATIONS_MAX;
    is_short.then(|| xml::ubl(document, profile).ok()).flatten()
}

/// With the XML inside where there is one and the pages show what it says.
fn pages(document: &Invoice, options: PageOptions) -> Result<Vec<u8>, pdf::PdfError> {
    let has_xml_inside = !pdf::is_summed_up(document) && is_core(document);
    let drawn = match has_xml_inside {
        true => pdf::hybrid(document, HybridProfile::Core, options),
        false => pdf::pages(document, options),
    };
    Ok(drawn?.pdf)
}
