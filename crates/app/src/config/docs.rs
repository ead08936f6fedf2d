//! The reference page of the configuration, written from the table of keys.

use std::fmt::Write;

use super::{KEYS, Secrecy};

const HEAD: &str = "\
# Configuration

Written by `onescan config docs` from the table of keys; do not edit.

Onescan runs without any configuration. What you set is read from these places, the later over the earlier:

1. the defaults below;
2. one TOML file: `onescan.toml` in the working folder when there is one, or the one that `--config` or `ONESCAN_CONFIG` names;
3. environment variables: `ONESCAN__`, the table, `__`, the key, in capitals (`ONESCAN__SERVER__LISTEN=0.0.0.0:8080`);
   a secret can stand in a file of its own (`ONESCAN__SECRET_FILE=/run/secrets/onescan`);
4. the options `--data`, `--listen` and `--port` of the commands that have them.

An unknown key is an error that names the nearest known one. `onescan config check` reads everything and starts nothing;
`onescan config show` prints each value and where it came from, without secrets.

```toml
# onescan.toml
data_folder = \"/var/lib/onescan\"

[server]
listen = \"127.0.0.1:8080\"
public_url = \"https://pay.example.org\"

[database]
url = \"postgres://onescan@db.example.org/onescan\"
```

";

/// The whole page as Markdown.
pub fn markdown() -> String {
    let mut page = HEAD.to_owned();
    let mut group = None;
    for key in KEYS {
        let (table, name) = key.name.split_once('.').unwrap_or(("", key.name));
        if group != Some(table) {
            group = Some(table);
            let title = if table.is_empty() { "At the top" } else { table };
            let heading = if table.is_empty() {
                title.to_owned()
            } else {
                format!("`[{title}]`")
            };
            write!(page, "## {heading}\n\n").expect("writing to a String cannot fail");
        }
        let default = match key.default_text() {
            text if text.is_empty() => "unset".to_owned(),
            text => format!("`{text}`"),
        };
        let secret = match key.secrecy {
            Secrecy::Open => String::new(),
            Secrecy::Secret => format!(
                " Secret: can also be read from the file that `{}_FILE` names.",
                key.variable()
            ),
        };
        let (kind, help) = (key.kind, key.help);
        write!(
            page,
            "### `{name}`\n\n{help}{secret}\n\n- type: {kind}\n- default: {default}\n- environment: `{}`\n\n",
            key.variable()
        )
        .expect("writing to a String cannot fail");
    }
    page.truncate(page.trim_end().len());
    page.push('\n');
    page
}
