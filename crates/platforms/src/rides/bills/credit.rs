//! Credit notes of bills: refunds of invoiced rides that no later bill takes. Row R09.
//!
//! **Invariant:** how much of a ride's refund is credited stands at the ride, and moves in the commit that writes the credit; so
//! a refund is credited once, by a later bill or by a credit note, whoever is faster.

use onescan_domain::ids::{BillId, InstitutionId};
use onescan_domain::rides::bill::{Bill, BillState, BillTally, IssueWhen};

use super::{Bills, CreditRefusal, GATHERED_AT_ONCE};
use crate::error::Result;

impl Bills {
    /// Makes a credit note over what was refunded of the rides of an issued bill and is credited nowhere yet, as far as its
    /// invoice has something left. A repeat while its refunds are being gathered returns the same one. Refuses in the order of
    /// [`CreditRefusal`].
    pub async fn credit(
        &self,
        institution: InstitutionId,
        id: BillId,
        issue: IssueWhen,
    ) -> Result<std::result::Result<Bill, CreditRefusal>> {
        let Some(bill) = self.of_institution(institution, id).await? else {
            return Ok(Err(CreditRefusal::Unknown));
        };
        let BillState::Issued { .. } = bill.state else {
            let state = bill.state.name();
            return Ok(Err(CreditRefusal::State { state }));
        };
        let made = self
            .store
            .insert_note(&self.note_of(&bill, issue), GATHERED_AT_ONCE)
            .await?;
        Ok(made.ok_or(CreditRefusal::Nothing))
    }

    /// Credit notes of a bill, the oldest first.
    pub async fn credit_notes(&self, of: BillId) -> Result<Vec<Bill>> {
        self.store.list_notes(of).await
    }

    /// What was refunded of a bill's rides and waits for a later bill or a credit note; minor units.
    pub async fn open_credit(&self, bill: &Bill) -> Result<i64> {
        self.store.open_credit(bill).await
    }

    fn note_of(&self, bill: &Bill, issue: IssueWhen) -> Bill {
        let now = self.env.now_ms();
        Bill {
            id: BillId::new(self.env.id(bill.institution.bucket())),
            corrects: Some(bill.id),
            issue,
            state: BillState::Closing,
            tally: BillTally::default(),
            created_at: now,
            closed_at: None,
            document: None,
            changed_at: now,
            ..bill.clone()
        }
    }
}
