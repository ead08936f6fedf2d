//! Mutual TLS between services, and TLS to hosts of others. Between services each proves with a certificate of the operator's own authority which service it is.
//!
//! A certificate names its service (`payments.onescan`) and no machine, so a service may move, and one that stands behind
//! another's address is found out. Files are looked at for each new connection: what [`crate::cli`]'s `keys` writes counts
//! without a restart.

use std::fmt;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, SystemTime};

use anyhow::{Context, Result, bail};
use axum::extract::Request;
use axum::extract::connect_info::{ConnectInfo, Connected};
use axum::middleware::Next;
use axum::response::Response;
use axum::serve::{IncomingStream, Listener};
use onescan_web::wire::client::{Secure, Stream};
use onescan_web::wire::decider::SecureTo;
use onescan_web::wire::server::Peer;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::mpsc;
use tokio_rustls::rustls::client::verify_server_name;
use tokio_rustls::rustls::crypto::{CryptoProvider, ring};
use tokio_rustls::rustls::pki_types::pem::PemObject;
use tokio_rustls::rustls::pki_types::{CertificateDer, PrivateKeyDer, ServerName};
use tokio_rustls::rustls::server::{ClientHello, ParsedCertificate, ResolvesServerCert, WebPkiClientVerifier};
use tokio_rustls::rustls::sign::CertifiedKey;
use tokio_rustls::rustls::{ClientConfig, RootCertStore, ServerConfig, version};
use tokio_rustls::server::TlsStream;
use tokio_rustls::{TlsAcceptor, TlsConnector};

/// Every service that can prove itself.
pub const SERVICES: [&str; 5] = ["processing", "codes", "profiles", "payments", "invoicing"];

/// The authorities that count, the newest first.
pub const AUTHORITIES: &str = "authorities.pem";

/// The name in a service's certificate.
pub fn host_of(service: &str) -> String {
    format!("{service}.onescan")
}

/// Where the files of a service are.
pub fn files_of(folder: &Path, service: &str) -> (PathBuf, PathBuf) {
    (
        folder.join(format!("{service}.pem")),
        folder.join(format!("{service}.key")),
    )
}

/// The keys of one server: what it proves itself with, and whom it trusts.
pub struct Keys {
    folder: PathBuf,
    /// As whom it calls others.
    caller: &'static str,
    /// As whom it answers.
    answers: Vec<&'static str>,
    loaded: Mutex<Loaded>,
}

impl fmt::Debug for Keys {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Keys")
            .field("folder", &self.folder)
            .finish_non_exhaustive()
    }
}

#[derive(Clone)]
struct Loaded {
    stamps: Vec<Option<SystemTime>>,
    client: Arc<ClientConfig>,
    server: Arc<ServerConfig>,
}

impl Keys {
    /// Reads the files once, so that a missing or broken one is told at start.
    pub fn open(folder: &Path, caller: &'static str, answers: Vec<&'static str>) -> Result<Self> {
        let loaded = load(folder, caller, &answers)?;
        Ok(Self {
            folder: folder.to_owned(),
            caller,
            answers,
            loaded: Mutex::new(loaded),
        })
    }

    /// What counts now. A file that cannot be used leaves what was loaded before in force.
    fn current(&self) -> Loaded {
        let mut loaded = self.loaded.lock().unwrap_or_else(PoisonError::into_inner);
        let stamps = stamps(&self.folder, self.caller, &self.answers);
        if stamps != loaded.stamps {
            match load(&self.folder, self.caller, &self.answers) {
                Ok(newer) => {
                    tracing::info!(keys.folder = %self.folder.display(), "the keys were read anew");
                    *loaded = newer;
                }
                Err(error) => {
                    tracing::error!(
                        error = format!("{error:#}"),
                        "the new keys cannot be used; the earlier ones stay in force"
                    );
                    loaded.stamps = stamps;
                }
            }
        }
        loaded.clone()
    }
}

fn stamps(folder: &Path, caller: &str, answers: &[&str]) -> Vec<Option<SystemTime>> {
    let services = std::iter::once(caller).chain(answers.iter().copied());
    let files = services.flat_map(|service| <[PathBuf; 2]>::from(files_of(folder, service)));
    let stamp = |path: PathBuf| std::fs::metadata(path).and_then(|facts| facts.modified()).ok();
    files.chain([folder.join(AUTHORITIES)]).map(stamp).collect()
}

fn load(folder: &Path, caller: &str, answers: &[&str]) -> Result<Loaded> {
    let stamps = stamps(folder, caller, answers);
    let provider = Arc::new(ring::default_provider());
    let roots = Arc::new(roots(&folder.join(AUTHORITIES))?);
    let (chain, key) = identity(folder, caller)?;
    let client = ClientConfig::builder_with_provider(provider.clone())
        .with_protocol_versions(&[&version::TLS13])?
        .with_root_certificates(roots.clone())
        .with_client_auth_cert(chain, key)?;
    let mut certified = Vec::new();
    for service in answers {
        let (chain, key) = identity(folder, service)?;
        certified.push((
            host_of(service),
            Arc::new(CertifiedKey::from_der(chain, key, &provider)?),
        ));
    }
    let verifier = WebPkiClientVerifier::builder_with_provider(roots, provider.clone()).build()?;
    let server = ServerConfig::builder_with_provider(provider as Arc<CryptoProvider>)
        .with_protocol_versions(&[&version::TLS13])?
        .with_client_cert_verifier(verifier)
        .with_cert_resolver(Arc::new(ByName(certified)));
    Ok(Loaded {
        stamps,
        client: Arc::new(client),
        server: Arc::new(server),
    })
}

fn roots(path: &Path) -> Result<RootCertStore> {
    let mut roots = RootCertStore::empty();
    let missing = || {
        format!(
            "{}: make keys with `onescan keys make`, or copy them from where they were made",
            path.display()
        )
    };
    for root in CertificateDer::pem_file_iter(path).with_context(missing)? {
        roots.add(root.with_context(missing)?)?;
    }
    if roots.is_empty() {
        bail!("{} holds no certificate", path.display());
    }
    Ok(roots)
}

fn identity(folder: &Path, service: &str) -> Result<(Vec<CertificateDer<'static>>, PrivateKeyDer<'static>)> {
    let (chain, key) = files_of(folder, service);
    let unusable = |path: &Path| format!("{} cannot be used; see `onescan keys show`", path.display());
    let certificates = CertificateDer::pem_file_iter(&chain).with_context(|| unusable(&chain))?;
    let certificates = certificates
        .collect::<Result<Vec<_>, _>>()
        .with_context(|| unusable(&chain))?;
    let secret = PrivateKeyDer::from_pem_file(&key).with_context(|| unusable(&key))?;
    Ok((certificates, secret))
}

/// The certificate of the service that the caller wants to speak with.
#[derive(Debug)]
struct ByName(Vec<(String, Arc<CertifiedKey>)>);

impl ResolvesServerCert for ByName {
    fn resolve(&self, hello: ClientHello<'_>) -> Option<Arc<CertifiedKey>> {
        let wanted = hello.server_name()?;
        self.0
            .iter()
            .find(|(name, _)| name == wanted)
            .map(|(_, certified)| certified.clone())
    }
}

/// Calls one service, which must prove that it is that one.
#[derive(Debug)]
pub struct Calls {
    pub keys: Arc<Keys>,
    pub service: &'static str,
}

#[async_trait::async_trait]
impl Secure for Calls {
    async fn wrap(&self, plain: TcpStream) -> std::io::Result<Box<dyn Stream>> {
        let name = ServerName::try_from(host_of(self.service)).map_err(std::io::Error::other)?;
        let stream = TlsConnector::from(self.keys.current().client)
            .connect(name, plain)
            .await?;
        Ok(Box::new(stream))
    }
}

/// Calls hosts of others, for whom an authority vouches that this machine trusts, or one that the operator names.
pub struct Others {
    client: Arc<ClientConfig>,
}

impl fmt::Debug for Others {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Others").finish_non_exhaustive()
    }
}

impl Others {
    /// `authorities`: a file of certificates beside those of the machine. A machine without any calls nobody over TLS.
    pub fn new(authorities: Option<&Path>) -> Result<Self> {
        let mut roots = RootCertStore::empty();
        let (added, left) = roots.add_parsable_certificates(rustls_native_certs::load_native_certs().certs);
        tracing::debug!(
            roots.count = added,
            roots.unreadable = left,
            "the machine's authorities were read"
        );
        if let Some(path) = authorities {
            let unusable = || format!("{}: no file of certificates", path.display());
            for root in CertificateDer::pem_file_iter(path).with_context(unusable)? {
                roots.add(root.with_context(unusable)?)?;
            }
        }
        let client = ClientConfig::builder_with_provider(Arc::new(ring::default_provider()))
            .with_safe_default_protocol_versions()?
            .with_root_certificates(roots)
            .with_no_client_auth();
        let client = Arc::new(client);
        Ok(Self { client })
    }
}

#[async_trait::async_trait]
impl SecureTo for Others {
    async fn wrap(&self, host: &str, plain: TcpStream) -> std::io::Result<Box<dyn Stream>> {
        let name = ServerName::try_from(host.to_owned()).map_err(std::io::Error::other)?;
        let stream = TlsConnector::from(self.client.clone()).connect(name, plain).await?;
        Ok(Box::new(stream))
    }
}

/// A connection's other end.
#[derive(Debug, Clone)]
pub struct Caller {
    pub address: SocketAddr,
    /// The service that its certificate names; empty: none that is known here.
    pub service: &'static str,
}

impl Connected<IncomingStream<'_, TlsListener>> for Caller {
    fn connect_info(stream: IncomingStream<'_, TlsListener>) -> Self {
        stream.remote_addr().clone()
    }
}

/// Tells the routes which service calls.
pub async fn name_peer(ConnectInfo(caller): ConnectInfo<Caller>, mut request: Request, next: Next) -> Response {
    request.extensions_mut().insert(Peer(caller.service.to_owned()));
    next.run(request).await
}

type Accepted = (TlsStream<TcpStream>, Caller);

/// Accepts connections whose callers proved themselves. A slow handshake keeps nobody else waiting.
#[derive(Debug)]
pub struct TlsListener {
    accepted: mpsc::Receiver<Accepted>,
    address: SocketAddr,
}

const HANDSHAKE: Duration = Duration::from_secs(5);
/// Connections that proved themselves and wait for the server.
const WAITING_MAX: usize = 64;

impl TlsListener {
    pub fn start(plain: TcpListener, keys: Arc<Keys>) -> Result<Self> {
        let address = plain.local_addr()?;
        let (sender, accepted) = mpsc::channel(WAITING_MAX);
        tokio::spawn(accept_all(plain, keys, sender));
        Ok(Self { accepted, address })
    }
}

/// Ends when the server no longer listens.
async fn accept_all(mut plain: TcpListener, keys: Arc<Keys>, sender: mpsc::Sender<Accepted>) {
    loop {
        let (stream, address) = tokio::select! {
            accepted = Listener::accept(&mut plain) => accepted,
            () = sender.closed() => return,
        };
        let (acceptor, sender) = (TlsAcceptor::from(keys.current().server), sender.clone());
        tokio::spawn(async move {
            let _ = stream.set_nodelay(true);
            match tokio::time::timeout(HANDSHAKE, acceptor.accept(stream)).await {
                Ok(Ok(stream)) => {
                    let service = service_of(&stream);
                    // A server that stops does not take it any more.
                    let _ = sender.send((stream, Caller { address, service })).await;
                }
                Ok(Err(error)) => {
                    tracing::warn!(%error, peer.address = %address, "a caller was refused: it did not prove itself")
                }
                Err(_) => tracing::warn!(peer.address = %address, "a caller did not finish its handshake"),
            }
        });
    }
}

fn service_of(stream: &TlsStream<TcpStream>) -> &'static str {
    let certificates = stream.get_ref().1.peer_certificates().unwrap_or_default();
    let Some(Ok(parsed)) = certificates.first().map(ParsedCertificate::try_from) else {
        return "";
    };
    let named = |service: &&&str| {
        let name = ServerName::try_from(host_of(service));
        name.is_ok_and(|name| verify_server_name(&parsed, &name).is_ok())
    };
    SERVICES.iter().find(named).copied().unwrap_or("")
}

impl Listener for TlsListener {
    type Io = TlsStream<TcpStream>;
    type Addr = Caller;

    async fn accept(&mut self) -> Accepted {
        match self.accepted.recv().await {
            Some(accepted) => accepted,
            // The task that feeds it ends only after this listener does.
            None => std::future::pending().await,
        }
    }

    fn local_addr(&self) -> std::io::Result<Caller> {
        let address = self.address;
        Ok(Caller { address, service: "" })
    }
}
