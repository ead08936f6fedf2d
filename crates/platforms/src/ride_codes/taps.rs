//! What gates have seen: journals taken in, kept, and told to other gates.

use onescan_domain::ids::{MerchantId, RawId, TapId, TerminalId};
use onescan_domain::rides::tap::{ClockFault, Payer};
use onescan_gate::code::RideCode;
use onescan_gate::journal::{Record, RecordError, hash};
use onescan_gate::keys::{Fingerprint, PublicKey, hex};
use onescan_gate::verify::{Policy, check_issued, check_shown};

use super::{Journal, RideCodes, StoredTap, UploadRefusal, Uploaded};
use crate::error::Result;

/// How far ahead of the server a gate's clock may be before its taps say so.
const AHEAD_MAX_MS: i64 = 120_000;

/// Which taps of a provider.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct TapPage {
    pub received_from: i64,
    /// The last of the page before, among those received at that instant.
    pub after: Option<TapId>,
    pub limit: u32,
}

impl RideCodes {
    /// Announces the key of a gate's journal. A repeat answers where the journal stands.
    pub async fn open_journal(&self, gate: TerminalId, key: PublicKey) -> Result<Journal> {
        let journal = Journal {
            gate,
            id: key.fingerprint(),
            key,
            head: 0,
            records: 0,
            head_at: 0,
            created_at: self.env.now_ms(),
        };
        self.store.open_journal(&journal).await
    }

    pub async fn journals(&self, provider: MerchantId) -> Result<Vec<Journal>> {
        self.store.list_journals(provider).await
    }

    /// Takes records in, in any order and as often as they come. Each that the gate signed is kept; what is wrong with it is
    /// kept beside it. Answered when it is durable. Row R04.
    pub async fn upload(
        &self,
        provider: MerchantId,
        gate: TerminalId,
        journal: Fingerprint,
        records: Vec<Vec<u8>>,
    ) -> Result<Result<Uploaded, UploadRefusal>> {
        let Some(journal) = self.store.find_journal(gate, journal).await? else {
            return Ok(Err(UploadRefusal::UnknownJournal));
        };
        let mut uploaded = Uploaded::default();
        let mut taps = Vec::new();
        for (place, bytes) in records.into_iter().enumerate() {
            match self.tap(provider, &journal, bytes) {
                Ok(tap) => taps.push(tap),
                Err(error) => uploaded.wrong.push((place, error)),
            }
        }
        self.find_people(&mut taps).await?;
        let read = taps.len();
        let (stored, journal) = self.store.insert_taps(&journal, taps).await?;
        uploaded.stored = stored;
        uploaded.repeated = read - stored;
        uploaded.head = journal.head;
        uploaded.missing = (journal.head - journal.records).max(0);
        Ok(Ok(uploaded))
    }

    fn tap(&self, provider: MerchantId, journal: &Journal, bytes: Vec<u8>) -> Result<StoredTap, RecordError> {
        let record = Record::open(&bytes, &journal.key)?;
        if record.gate != journal.gate.to_string() {
            return Err(RecordError::Signature);
        }
        let received_at = self.env.now_ms();
        let code = RideCode::read(&record.code).ok();
        let hash = hash(&bytes);
        // The same record has the same id, whenever it comes.
        let random = u128::from_be_bytes(hash[..16].try_into().expect("a hash has 32 bytes"));
        let id = TapId::new(RawId::from_parts(record.at, journal.gate.bucket(), random));
        Ok(StoredTap {
            id,
            provider,
            gate: journal.gate,
            journal: journal.id,
            sequence: record.sequence as i64,
            kind: record.kind,
            at: record.at,
            received_at,
            clock_fault: (record.at > received_at + AHEAD_MAX_MS).then_some(ClockFault::Ahead),
            fingerprint: code.as_ref().map(RideCode::fingerprint),
            person: None,
            device: None,
            counter: code.as_ref().map_or(0, |code| code.counter as i64),
            payer: code.as_ref().map_or(Payer::Person, |code| code.entitlement.payer),
            rule_digest: code
                .as_ref()
                .map(|code| hex(&code.entitlement.rules))
                .unwrap_or_default(),
            incomplete: record.incomplete,
            sound: code.as_ref().is_some_and(|code| self.is_sound(code, record.at)),
            chain_broken: false,
            previous: record.previous,
            hash,
            station: record.station,
            verdict: record.verdict,
            record: bytes,
        })
    }

    /// Whether both signatures and all lifetimes held when the gate saw it. Policies of gates may be narrower.
    fn is_sound(&self, code: &RideCode, at: i64) -> bool {
        let policy = Policy {
            code_life_s: 60,
            skew_s: 60,
            ..Policy::new(Vec::new())
        };
        let at_s = at.div_euclid(1_000);
        let issued = check_issued(code, &self.trusted(at), at_s, policy.skew_s);
        issued.and_then(|()| check_shown(code, &policy, at_s)).is_ok()
    }

    async fn find_people(&self, taps: &mut [StoredTap]) -> Result<()> {
        let prints = taps.iter().filter(|tap| tap.sound).filter_map(|tap| tap.fingerprint);
        let prints = prints.map(|print| (self.bucket_of(print), print)).collect::<Vec<_>>();
        let found = self.store.find_prints(&prints).await?;
        let sound = taps.iter_mut().filter(|tap| tap.sound && tap.fingerprint.is_some());
        for (tap, found) in sound.zip(found) {
            (tap.device, tap.person) = found.unzip();
        }
        Ok(())
    }

    /// A provider's taps by their arrival.
    pub async fn taps(&self, provider: MerchantId, page: TapPage) -> Result<Vec<StoredTap>> {
        self.store.list_taps(provider, page).await
    }
}
