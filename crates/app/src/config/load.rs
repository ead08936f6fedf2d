//! Reads the configuration from its places, and remembers from which each value came.

use std::collections::BTreeMap;
use std::fmt;
use std::path::{Path, PathBuf};

use super::keys::PREFIX;
use super::{Config, KEYS, Key, Secrecy};

/// Where a value came from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Origin {
    Default,
    File(PathBuf),
    /// The variable's name.
    Environment(String),
    /// The option's name.
    CommandLine(&'static str),
}

impl fmt::Display for Origin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Default => f.write_str("default"),
            Self::File(path) => write!(f, "{}", path.display()),
            Self::Environment(variable) => f.write_str(variable),
            Self::CommandLine(option) => f.write_str(option),
        }
    }
}

/// Why a configuration cannot be used. Never shows a value that may be secret.
#[derive(Debug, thiserror::Error)]
pub enum ConfigError {
    #[error("{}: cannot be read", path.display())]
    Unreadable { path: PathBuf, source: std::io::Error },
    /// `text` names the line.
    #[error("{}: {text}", path.display())]
    NotToml { path: PathBuf, text: String },
    #[error("{origin}: there is no key `{name}`; did you mean `{}`?", nearest.name)]
    UnknownKey {
        name: String,
        origin: Origin,
        nearest: &'static Key,
    },
    /// A list, table, float or date where a text, a whole number or a truth value belongs.
    #[error("{origin}: `{}` must be {}", key.name, key.kind)]
    Shape { key: &'static Key, origin: Origin },
    #[error("{origin}: `{}` is {text:?}, but must be {}", key.name, key.kind)]
    Value {
        key: &'static Key,
        origin: Origin,
        text: String,
    },
    #[error("{origin}: `{}` must be {}", key.name, key.kind)]
    SecretValue { key: &'static Key, origin: Origin },
    /// Each value can be read, and they do not go together.
    #[error("`{}` {why}", key.name)]
    Contradiction { key: &'static Key, why: &'static str },
    #[error("{variable}: is not UTF-8 text")]
    NotText { variable: String },
}

/// The places to read from, the later ones over the earlier.
#[derive(Debug, Clone, Default)]
pub struct Sources {
    /// `None`: no file.
    pub file: Option<PathBuf>,
    /// Names and values; only those that begin with `ONESCAN__` count.
    pub environment: Vec<(std::ffi::OsString, std::ffi::OsString)>,
    /// Key, value, and the option that gave it.
    pub command_line: Vec<(&'static str, String, &'static str)>,
}

impl Sources {
    /// The environment of this process.
    pub fn of_process(file: Option<PathBuf>) -> Self {
        Self {
            file,
            environment: std::env::vars_os().collect(),
            command_line: Vec::new(),
        }
    }
}

/// The configuration, and where each value that is not the default came from.
#[derive(Debug, Clone)]
pub struct Loaded {
    pub config: Config,
    origins: BTreeMap<&'static str, Origin>,
}

impl Loaded {
    pub fn origin(&self, key: &Key) -> Origin {
        self.origins.get(key.name).cloned().unwrap_or(Origin::Default)
    }

    /// Puts `config` in the default's place, for a caller that changes it afterwards.
    pub fn of_defaults() -> Self {
        Self {
            config: Config::default(),
            origins: BTreeMap::new(),
        }
    }

    fn set(&mut self, key: &'static Key, text: &str, origin: Origin) -> Result<(), ConfigError> {
        if (key.set)(&mut self.config, text).is_none() {
            return Err(match key.secrecy {
                Secrecy::Open => ConfigError::Value {
                    key,
                    origin,
                    text: text.to_owned(),
                },
                Secrecy::Secret => ConfigError::SecretValue { key, origin },
            });
        }
        self.origins.insert(key.name, origin);
        Ok(())
    }
}

/// Reads all places; the first thing that is wrong ends it.
pub fn load(sources: &Sources) -> Result<Loaded, ConfigError> {
    let mut loaded = Loaded::of_defaults();
    if let Some(path) = &sources.file {
        read_file(&mut loaded, path)?;
    }
    for (name, value) in &sources.environment {
        let Some(name) = name.to_str().filter(|name| name.starts_with(PREFIX)) else {
            continue;
        };
        let not_text = || ConfigError::NotText {
            variable: name.to_owned(),
        };
        read_variable(&mut loaded, name, value.to_str().ok_or_else(not_text)?)?;
    }
    for (name, value, option) in &sources.command_line {
        let key = Key::find(name).expect("options name known keys");
        loaded.set(key, value, Origin::CommandLine(option))?;
    }
    if let Some((name, why)) = loaded.config.documents.contradiction() {
        let key = Key::find(name).expect("a contradiction names a known key");
        return Err(ConfigError::Contradiction { key, why });
    }
    Ok(loaded)
}

fn read_file(loaded: &mut Loaded, path: &Path) -> Result<(), ConfigError> {
    let unreadable = |source| ConfigError::Unreadable {
        path: path.to_owned(),
        source,
    };
    let text = std::fs::read_to_string(path).map_err(unreadable)?;
    let table: toml::Table = text.parse().map_err(|error: toml::de::Error| ConfigError::NotToml {
        path: path.to_owned(),
        text: place_and_message(&text, &error),
    })?;
    read_table(loaded, &table, "", path)
}

/// Without the lines of the file that the library's own message quotes: they may hold a secret.
fn place_and_message(text: &str, error: &toml::de::Error) -> String {
    let line = error
        .span()
        .map(|span| text[..span.start.min(text.len())].matches('\n').count() + 1);
    let line = line.map_or(String::new(), |line| format!("line {line}: "));
    format!("{line}{}", error.message())
}

fn read_table(loaded: &mut Loaded, table: &toml::Table, outer: &str, path: &Path) -> Result<(), ConfigError> {
    let origin = Origin::File(path.to_owned());
    for (name, value) in table {
        let name = format!("{outer}{name}");
        let Some(key) = Key::find(&name) else {
            let is_group = KEYS.iter().any(|key| key.name.starts_with(&format!("{name}.")));
            match value {
                toml::Value::Table(inner) if is_group => read_table(loaded, inner, &format!("{name}."), path)?,
                _ => {
                    let nearest = Key::nearest(&name);
                    return Err(ConfigError::UnknownKey { name, origin, nearest });
                }
            }
            continue;
        };
        let text = match value {
            toml::Value::String(text) => text.clone(),
            toml::Value::Integer(number) => number.to_string(),
            toml::Value::Boolean(truth) => truth.to_string(),
            toml::Value::Float(_) | toml::Value::Datetime(_) | toml::Value::Array(_) | toml::Value::Table(_) => {
                return Err(ConfigError::Shape { key, origin });
            }
        };
        loaded.set(key, &text, origin.clone())?;
    }
    Ok(())
}

/// `ONESCAN__A__B=value`, or for a secret `ONESCAN__A__B_FILE=path`.
fn read_variable(loaded: &mut Loaded, variable: &str, value: &str) -> Result<(), ConfigError> {
    let origin = Origin::Environment(variable.to_owned());
    let name = variable
        .strip_prefix(PREFIX)
        .unwrap_or(variable)
        .to_lowercase()
        .replace("__", ".");
    if let Some(key) = Key::find(&name) {
        return loaded.set(key, value, origin);
    }
    let named_by_file = name.strip_suffix("_file").and_then(Key::find);
    match named_by_file.filter(|key| key.secrecy == Secrecy::Secret) {
        Some(key) => {
            let unreadable = |source| ConfigError::Unreadable {
                path: PathBuf::from(value),
                source,
            };
            let text = std::fs::read_to_string(value).map_err(unreadable)?;
            loaded.set(key, text.trim(), origin)
        }
        None => {
            let nearest = Key::nearest(&name);
            Err(ConfigError::UnknownKey { name, origin, nearest })
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn file(text: &str) -> Result<Loaded, ConfigError> {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("onescan.toml");
        std::fs::write(&path, text).unwrap();
        load(&Sources {
            file: Some(path),
            ..Sources::default()
        })
    }

    fn environment(pairs: &[(&str, &str)]) -> Result<Loaded, ConfigError> {
        let environment = pairs.iter().map(|(name, value)| (name.into(), value.into())).collect();
        load(&Sources {
            environment,
            ..Sources::default()
        })
    }

    /// What is said about `loaded`, without the temporary folder.
    fn said(loaded: Result<Loaded, ConfigError>) -> String {
        let text = loaded.expect_err("the configuration should be refused").to_string();
        text.split_once("onescan.toml: ")
            .map_or(text.clone(), |(_, rest)| rest.to_owned())
    }

    #[test]
    fn later_places_count() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("onescan.toml");
        std::fs::write(
            &path,
            "[server]\nlisten = \"0.0.0.0:80\"\nthreads = 3\n[codes]\nprefix = 31\n",
        )
        .unwrap();
        let loaded = load(&Sources {
            file: Some(path.clone()),
            environment: vec![
                ("ONESCAN__CODES__PREFIX".into(), "32".into()),
                ("HOME".into(), "x".into()),
            ],
            command_line: vec![("data_folder", "/tmp/x".to_owned(), "--data")],
        });
        let loaded = loaded.unwrap();
        let seen = |name: &str| {
            let key = Key::find(name).unwrap();
            (key.shown(&loaded.config), loaded.origin(key))
        };
        assert_eq!(seen("server.threads"), ("3".to_owned(), Origin::File(path)));
        let variable = Origin::Environment("ONESCAN__CODES__PREFIX".to_owned());
        assert_eq!(seen("codes.prefix"), ("32".to_owned(), variable));
        assert_eq!(
            seen("data_folder"),
            ("/tmp/x".to_owned(), Origin::CommandLine("--data"))
        );
        assert_eq!(seen("codes.grace_seconds"), ("15".to_owned(), Origin::Default));
    }

    #[test]
    fn unknown_keys_name_the_nearest() {
        assert_eq!(
            said(file("[server]\nlissten = \"x\"")),
            "there is no key `server.lissten`; did you mean `server.listen`?"
        );
        assert_eq!(
            said(file("[codez]\nprefix = 30")),
            "there is no key `codez`; did you mean `codes.prefix`?"
        );
        assert_eq!(
            said(environment(&[("ONESCAN__CODES__PREFFIX", "30")])),
            "ONESCAN__CODES__PREFFIX: there is no key `codes.preffix`; did you mean `codes.prefix`?"
        );
        // Only secrets can be read from a file.
        assert!(said(environment(&[("ONESCAN__CODES__PREFIX_FILE", "/x")])).contains("there is no key"));
    }

    #[test]
    fn wrong_values_say_what_belongs_there() {
        assert_eq!(
            said(file("[codes]\ninvoice_hours = 49")),
            "`codes.invoice_hours` is \"49\", but must be whole number from 1 to 48"
        );
        assert_eq!(
            said(file("[codes]\nprefix = [1]")),
            "`codes.prefix` must be whole number from 10 to 99"
        );
        assert_eq!(said(file("[codes\nprefix = 30")).split(':').next(), Some("line 1"));
        assert_eq!(
            said(environment(&[("ONESCAN__LOG__FILTER", "loud=everything=x")])),
            "ONESCAN__LOG__FILTER: `log.filter` is \"loud=everything=x\", but must be level, or `target=level` pairs \
             with commas"
        );
    }

    #[test]
    fn a_bucket_wants_its_key_and_tls() {
        let bucket = "[documents]\nbucket = \"invoices\"\n";
        let key = "key_id = \"K\"\nsecret = \"hush\"\n";
        for (text, expected) in [
            (
                bucket.to_owned(),
                "`documents.key_id` must be set, for `documents.bucket`",
            ),
            (
                format!("{bucket}key_id = \"K\""),
                "`documents.secret` must be set, for `documents.bucket`",
            ),
            (
                format!("{bucket}{key}folder = \"/x\""),
                "`documents.folder` must be unset: documents go to `documents.bucket`",
            ),
            (
                format!("{bucket}{key}endpoint = \"http://s3.example\""),
                "`documents.endpoint` must begin with https://, unless `documents.allow_plain_http` is true",
            ),
            (
                format!("[documents]\n{key}"),
                "`documents.bucket` must be set where its endpoint or key is",
            ),
            (
                "[documents]\nbucket = \"Not A Bucket\"".to_owned(),
                "`documents.bucket` is \"Not A Bucket\", but must be 3 to 63 small letters, digits, hyphens and dots",
            ),
        ] {
            assert_eq!(said(file(&text)), expected);
        }
        let plain = format!("{bucket}{key}endpoint = \"http://s3.example\"\nallow_plain_http = true");
        let config = file(&plain).unwrap().config;
        assert_eq!(
            config.documents_place().to_string(),
            "the bucket invoices at http://s3.example"
        );
        assert!(!format!("{config:?}").contains("hush"));
    }

    #[test]
    fn secrets_are_never_shown() {
        let wrong = said(environment(&[("ONESCAN__SECRET", "hunter2")]));
        assert_eq!(wrong, "ONESCAN__SECRET: `secret` must be 64 hexadecimal digits");
        let digits = "00112233445566778899aabbccddeeff".repeat(2);
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("secret");
        std::fs::write(&path, format!("{digits}\n")).unwrap();
        let loaded = environment(&[("ONESCAN__SECRET_FILE", path.to_str().unwrap())]).unwrap();
        assert!(loaded.config.secret.is_some());
        assert_eq!(Key::find("secret").unwrap().shown(&loaded.config), "…");
        let lines = format!("secret = \"{digits}\nx = 1");
        assert!(!said(file(&lines)).contains("00112233"));
    }

    #[test]
    fn every_default_can_be_read_again() {
        for key in KEYS {
            let text = key.default_text();
            if text.is_empty() {
                continue;
            }
            let loaded = environment(&[(&key.variable(), &text)]).unwrap();
            assert_eq!(key.shown(&loaded.config), text, "{}", key.name);
        }
    }
}
