//! The invoice platform inside this process.

use std::sync::Arc;

use async_trait::async_trait;
use onescan_domain::ids::{InvoiceId, PaymentId};
use onescan_domain::invoicing::Invoice;

use super::{InvoiceStore, Invoicing, Issue, IssueRefusal, Issued, Made};
use crate::env::Env;
use crate::error::Result;

pub struct LocalInvoicing {
    env: Env,
    store: Arc<dyn InvoiceStore>,
}

impl std::fmt::Debug for LocalInvoicing {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("LocalInvoicing").finish_non_exhaustive()
    }
}

impl LocalInvoicing {
    pub fn new(env: Env, store: Arc<dyn InvoiceStore>) -> Self {
        Self { env, store }
    }
}

#[async_trait]
impl Invoicing for LocalInvoicing {
    async fn issue(&self, issue: Issue) -> Result<Result<Issued, IssueRefusal>> {
        let Issue {
            payment,
            profile,
            number,
        } = issue;
        let id = InvoiceId::new(self.env.id(payment.bucket()));
        let wanted = Invoice {
            id,
            payment,
            profile,
            number: number.clone(),
            issued_at: self.env.now_ms(),
        };
        let kept = self.store.insert_or_find(&wanted).await?;
        if kept.id == id {
            return Ok(Ok(Issued {
                invoice: kept,
                made: Made::Now,
            }));
        }
        let before = |invoice| Issued {
            invoice,
            made: Made::Before,
        };
        let Some(number) = number else {
            return Ok(Ok(before(kept)));
        };
        if kept.number.is_none() {
            self.store.set_number(payment.bucket(), payment, &number).await?;
        }
        // The first number that was told stays, also when two are told at once.
        let kept = self.store.find(vec![payment]).await?.pop().flatten().unwrap_or(kept);
        Ok(if kept.number.as_ref() == Some(&number) {
            Ok(before(kept))
        } else {
            Err(IssueRefusal::Issued(kept))
        })
    }

    async fn find(&self, payments: Vec<PaymentId>) -> Result<Vec<Option<Invoice>>> {
        self.store.find(payments).await
    }
}
