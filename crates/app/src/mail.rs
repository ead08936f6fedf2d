//! E-mail out, over SMTP.

use std::time::Duration;

use async_trait::async_trait;
use lettre::message::header::ContentType;
use lettre::message::{Attachment, Mailbox, MultiPart, SinglePart};
use lettre::transport::smtp::authentication::Credentials;
use lettre::{AsyncSmtpTransport, AsyncTransport, Tokio1Executor};
use onescan_platforms::processing::delivery::documents::{MailError, Mailer, Message};

use crate::config::{MailConfig, MailSecurity};

/// How long a server may take for one message.
const TIMEOUT: Duration = Duration::from_secs(20);

/// Sends through the configured server; without one every message is `NotConfigured` and waits.
#[derive(Debug)]
pub struct SmtpMailer {
    way: Option<(AsyncSmtpTransport<Tokio1Executor>, Mailbox)>,
}

impl SmtpMailer {
    pub fn new(config: &MailConfig) -> anyhow::Result<Self> {
        let Some(server) = &config.server else {
            return Ok(Self { way: None });
        };
        let from = config.from.parse::<Mailbox>()?;
        let (host, port) = server.rsplit_once(':').unwrap_or((server, "25"));
        let builder = match config.security {
            MailSecurity::None => AsyncSmtpTransport::<Tokio1Executor>::builder_dangerous(host),
            MailSecurity::StartTls => AsyncSmtpTransport::<Tokio1Executor>::starttls_relay(host)?,
            MailSecurity::Tls => AsyncSmtpTransport::<Tokio1Executor>::relay(host)?,
        };
        let mut builder = builder.port(port.parse()?).timeout(Some(TIMEOUT));
        if let (Some(user), Some(password)) = (&config.user, &config.password) {
            builder = builder.credentials(Credentials::new(user.clone(), password.clone()));
        }
        Ok(Self {
            way: Some((builder.build(), from)),
        })
    }

    /// Whether the server answers and takes the credentials; `None` when none is configured.
    pub async fn check(&self) -> Option<Result<(), String>> {
        let (transport, _) = self.way.as_ref()?;
        Some(match transport.test_connection().await {
            Ok(true) => Ok(()),
            Ok(false) => Err("the server does not answer".to_owned()),
            Err(error) => Err(error.to_string()),
        })
    }
}

#[async_trait]
impl Mailer for SmtpMailer {
    async fn send(&self, message: Message) -> Result<(), MailError> {
        let (transport, from) = self.way.as_ref().ok_or(MailError::NotConfigured)?;
        let written = written(from, message)?;
        match transport.send(written).await {
            Ok(_) => Ok(()),
            Err(error) if error.is_permanent() => Err(MailError::Permanent(error.to_string())),
            Err(error) => Err(MailError::Transient(error.to_string())),
        }
    }
}

fn written(from: &Mailbox, message: Message) -> Result<lettre::Message, MailError> {
    let permanent = |error: &dyn std::fmt::Display| MailError::Permanent(error.to_string());
    let to: Mailbox = message.to.parse().map_err(|error| permanent(&error))?;
    let media_type = ContentType::parse(message.media_type).map_err(|error| permanent(&error))?;
    let attachment = Attachment::new(message.file_name).body(message.file, media_type);
    let parts = MultiPart::mixed()
        .singlepart(SinglePart::plain(message.text))
        .singlepart(attachment);
    let host = from.email.domain();
    lettre::Message::builder()
        .from(from.clone())
        .to(to)
        .subject(message.subject)
        .message_id(Some(format!("<{}@{host}>", message.id)))
        .multipart(parts)
        .map_err(|error| permanent(&error))
}
