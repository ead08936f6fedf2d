//! Work that no request waits for: the merchants' side of payments, invoices, holds whose time is over, cleaning up.
//!
//! Each piece is safe to run twice and on several servers at once; what one start leaves undone the next one finds.

use std::future::Future;
use std::time::Duration;

use onescan_platforms::codes::CodeStore;
use onescan_platforms::codes::cipher::SLOT_MS;
use onescan_platforms::error::Result;
use onescan_platforms::payments::PaymentStore;
use tokio::sync::watch;
use tokio::task::JoinSet;

use crate::elsewhere::{Platform, Role};
use crate::wiring::House;

/// Outbox rows posted in one commit.
const POSTED_AT_ONCE: u32 = 256;
/// Payments go first: while somebody waits for one, posting rests this long after a full batch, which leaves it about a
/// tenth of the writer's time and some thousand rows a second.
const MAKES_ROOM: Duration = Duration::from_millis(60);
const POSTING_EVERY: Duration = Duration::from_millis(100);
const INVOICING_EVERY: Duration = Duration::from_millis(200);
const HOLDS_EVERY: Duration = Duration::from_secs(10);
const HOLDS_AT_ONCE: u32 = 256;
const RIDES_EVERY: Duration = Duration::from_secs(5);
const RIDES_AT_ONCE: u32 = 200;
const TAPS_EVERY: Duration = Duration::from_millis(500);
const TAPS_AT_ONCE: u32 = 512;
/// A ride that is being paid this long was given up by whoever began it.
const RIDE_GRACE_MS: i64 = 10_000;
const BILLS_EVERY: Duration = Duration::from_secs(1);
const CLEANING_EVERY: Duration = Duration::from_secs(600);
/// Unpaid codes are kept this long: nobody asks for one later, and the slots' numbers come round after 55 hours.
const CODES_KEPT_MS: i64 = 48 * 3_600_000;

/// The running work; dropping it ends the work at once.
#[derive(Debug)]
pub struct Background {
    stop: watch::Sender<bool>,
    work: JoinSet<()>,
}

impl Background {
    /// Starts all of it on the current runtime.
    pub fn start(house: &House) -> Self {
        let (stop, stopped) = watch::channel(false);
        let mut work = JoinSet::new();
        let mut every = |name, pause, piece: Piece| {
            work.spawn(repeat(name, pause, stopped.clone(), house.clone(), piece));
        };
        if house.works_for(Platform::Payments) {
            every("outbox", POSTING_EVERY, |house| Box::pin(post_merchant_side(house)));
            every("holds", HOLDS_EVERY, |house| Box::pin(expire_holds(house)));
        }
        if house.role == Role::Whole {
            every("invoicing", INVOICING_EVERY, |house| Box::pin(work_on_invoices(house)));
            every("bills", BILLS_EVERY, |house| Box::pin(work_on_bills(house)));
            every("taps", TAPS_EVERY, |house| Box::pin(work_on_taps(house)));
            every("rides", RIDES_EVERY, |house| Box::pin(complete_rides(house)));
        }
        every("cleaning", CLEANING_EVERY, |house| Box::pin(clean(house)));
        Self { stop, work }
    }

    /// Lets each piece finish what it is at.
    pub async fn stop(mut self) {
        // Pieces that ended by themselves do not listen any more.
        let _ = self.stop.send(true);
        while let Some(ended) = self.work.join_next().await {
            if let Err(error) = ended {
                tracing::error!(%error, "background work broke off");
            }
        }
    }
}

type Piece = fn(House) -> std::pin::Pin<Box<dyn Future<Output = Result<()>> + Send>>;

/// Runs a piece, waits, and again, until it is told to stop. A failure is logged and tried again after the pause.
async fn repeat(name: &'static str, pause: Duration, mut stopped: watch::Receiver<bool>, house: House, piece: Piece) {
    loop {
        if let Err(error) = piece(house.clone()).await {
            let source = std::error::Error::source(&error)
                .map(ToString::to_string)
                .unwrap_or_default();
            tracing::warn!(work.name = name, %error, source, "background work failed; it is tried again");
        }
        tokio::select! {
            _ = stopped.wait_for(|stop| *stop) => return,
            () = tokio::time::sleep(pause) => {}
        }
    }
}

/// Posts what the outbox holds, batch by batch, and steps aside while payments wait.
async fn post_merchant_side(house: House) -> Result<()> {
    loop {
        let now = house.services.env.now_ms();
        let posted = house.store.post_merchant_side(now, POSTED_AT_ONCE).await?;
        if posted < u64::from(POSTED_AT_ONCE) {
            return Ok(());
        }
        if house.services.processing.busy() {
            tokio::time::sleep(MAKES_ROOM).await;
        }
    }
}

/// Issues, credits and delivers what is due, until nothing is.
async fn work_on_invoices(house: House) -> Result<()> {
    while house.services.processing.work_on_invoices().await? > 0 {}
    Ok(())
}

async fn expire_holds(house: House) -> Result<()> {
    loop {
        let now = house.services.env.now_ms();
        if house.store.expire_holds(now, HOLDS_AT_ONCE).await? < u64::from(HOLDS_AT_ONCE) {
            return Ok(());
        }
    }
}

/// Releases forms whose validity is over and asks payments again about rides whose result was not recorded.
async fn complete_rides(house: House) -> Result<()> {
    let rides = &house.services.rides;
    while rides.recover(RIDE_GRACE_MS, RIDES_AT_ONCE).await? == u64::from(RIDES_AT_ONCE) {}
    while rides.release_overdue(RIDES_AT_ONCE).await? == u64::from(RIDES_AT_ONCE) {}
    Ok(())
}

/// Matches taps and makes the orders of rides, until nothing is due.
async fn work_on_taps(house: House) -> Result<()> {
    while house.services.journeys.work(TAPS_AT_ONCE).await? > 0 {}
    Ok(())
}

/// Begins the bills whose period is over, gathers their rides, has them invoiced and sent, until nothing is due.
async fn work_on_bills(house: House) -> Result<()> {
    let bills = &house.services.bills;
    bills.close_due().await?;
    while bills.work().await? > 0 {}
    while bills.deliver().await? > 0 {}
    Ok(())
}

async fn clean(house: House) -> Result<()> {
    let sessions = match house.role {
        Role::Whole => house.services.access.clean_sessions().await?,
        Role::Only(_) => 0,
    };
    let before_slot = (house.services.env.now_ms() - CODES_KEPT_MS) / SLOT_MS;
    let codes = match house.works_for(Platform::Codes) {
        true => house.store.purge_codes(before_slot).await?,
        false => 0,
    };
    tracing::debug!(sessions.count = sessions, codes.count = codes, "cleaned up");
    Ok(())
}
