//! Serves the faces until the program is told to stop, and then lets what is under way finish.

use std::future::Future;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context, Result};
use axum::Router;
use axum::serve::ListenerExt;
use tokio::net::TcpListener;
use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio::sync::oneshot;
use tokio::task::JoinHandle;

use crate::background::Background;
use crate::config::{Config, PlainLoopback};
use crate::elsewhere::Role;
use crate::observe::Stopping;
use crate::tls::{self, Keys, TlsListener};
use crate::wiring::House;

/// Binds the address; the error says what to do when somebody else has it.
pub async fn bind(address: SocketAddr) -> Result<TcpListener> {
    let bound = TcpListener::bind(address).await;
    bound.with_context(|| {
        let port = address.port();
        format!("cannot listen on {address}; if another program has port {port}, choose one with `--port` or `server.listen`")
    })
}

/// Where requests come in.
#[derive(Debug)]
pub enum Door {
    Plain(TcpListener),
    /// For other services, which prove who they are.
    Secure(TlsListener),
}

impl Door {
    /// The faces are plain: TLS for browsers is a proxy's. Platforms for others are in TLS, except on the loopback where the
    /// configuration says so.
    pub fn open(listener: TcpListener, config: &Config, role: &Role) -> Result<Self> {
        let Role::Only(platforms) = role else {
            return Ok(Self::Plain(listener));
        };
        let loopback = listener.local_addr()?.ip().is_loopback();
        if loopback && config.platforms.plain_loopback == PlainLoopback::Allowed {
            return Ok(Self::Plain(listener));
        }
        let answers = platforms.iter().map(|platform| platform.contract().name).collect();
        let keys = Keys::open(&config.keys_folder(), role.caller(), answers)?;
        Ok(Self::Secure(TlsListener::start(listener, Arc::new(keys))?))
    }

    pub fn scheme(&self) -> &'static str {
        match self {
            Self::Plain(_) => "http",
            Self::Secure(_) => "https",
        }
    }

    fn serve(
        self,
        router: Router,
        stopped: impl Future<Output = ()> + Send + 'static,
    ) -> JoinHandle<std::io::Result<()>> {
        match self {
            Self::Plain(listener) => {
                let listener = listener.tap_io(|stream| {
                    if let Err(error) = stream.set_nodelay(true) {
                        tracing::debug!(%error, "small answers may be delayed on this connection");
                    }
                });
                let service = router.into_make_service_with_connect_info::<SocketAddr>();
                let serving = axum::serve(listener, service).with_graceful_shutdown(stopped);
                tokio::spawn(async move { serving.await })
            }
            Self::Secure(listener) => {
                let router = router.layer(axum::middleware::from_fn(tls::name_peer));
                let service = router.into_make_service_with_connect_info::<tls::Caller>();
                let serving = axum::serve(listener, service).with_graceful_shutdown(stopped);
                tokio::spawn(async move { serving.await })
            }
        }
    }
}

/// How serving ends.
#[derive(Debug, Clone)]
pub struct Ending {
    /// Told first, so that `/readyz` says so on connections that are open.
    pub stopping: Stopping,
    /// How long requests under way may go on.
    pub drain: Duration,
}

/// Serves until SIGTERM or SIGINT: then nothing new is accepted, requests under way may go on for `drain`, background work
/// finishes what it is at, and the database is closed. A second signal ends the program at once with status 130.
pub async fn serve(door: Door, router: Router, house: House, ending: Ending) -> Result<()> {
    let Ending { stopping, drain } = ending;
    let mut signals = Signals::new()?;
    let background = Background::start(&house);
    let (stop, stopped) = oneshot::channel::<()>();
    let mut serving = door.serve(router, async move {
        // A dropped sender means the same.
        let _ = stopped.await;
    });
    tokio::select! {
        ended = &mut serving => ended.context("the server broke off")?.context("the server ended")?,
        () = signals.next() => {
            tracing::info!("stopping: finishing requests under way");
            stopping.begin();
            tokio::spawn(async move {
                signals.next().await;
                tracing::warn!("stopped at once by a second signal");
                std::process::exit(130);
            });
            let _ = stop.send(());
            if tokio::time::timeout(drain, &mut serving).await.is_err() {
                tracing::warn!(drain.seconds = drain.as_secs(), "requests still under way are cut off");
                serving.abort();
            }
        }
    }
    background.stop().await;
    house.close().await;
    tracing::info!("stopped");
    Ok(())
}

struct Signals {
    terminate: Signal,
    interrupt: Signal,
}

impl Signals {
    fn new() -> Result<Self> {
        Ok(Self {
            terminate: signal(SignalKind::terminate()).context("signals cannot be heard")?,
            interrupt: signal(SignalKind::interrupt()).context("signals cannot be heard")?,
        })
    }

    async fn next(&mut self) {
        tokio::select! {
            _ = self.terminate.recv() => {}
            _ = self.interrupt.recv() => {}
        }
    }
}
