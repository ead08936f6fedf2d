//! A browser that is driven over WebDriver: Debian's Chromium, through its `chromedriver`.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use onescan_app::http_client::{Ask, Client};
use serde_json::{Value, json};
use tempfile::TempDir;

/// WebDriver's names of keys.
pub const ENTER: &str = "\u{e007}";
pub const TAB: &str = "\u{e004}";
pub const ESCAPE: &str = "\u{e00c}";

/// The field under which WebDriver names an element.
const ELEMENT: &str = "element-6066-11e4-a52e-4f735466cecf";
/// Looks at a page until what is waited for is there.
const LOOKS_MAX: u32 = 400;
const ENDS_WITHIN: Duration = Duration::from_secs(10);
const LOOK_EVERY: Duration = Duration::from_millis(50);

/// Deque's checker of accessibility.
const AXE: &str = include_str!("vendor/axe-core-4.14.1/axe.min.js");
const RUN_AXE: &str = "
    const done = arguments[arguments.length - 1];
    axe.run(document, { resultTypes: ['violations'] }).then(
      (found) => done(found.violations.flatMap((rule) => rule.nodes.map((node) => `${rule.id}: ${node.html} ${node.failureSummary}`))),
      (error) => done(String(error)),
    );";

/// The program that drives browsers; it ends when this is dropped.
#[derive(Debug)]
pub struct Driver {
    child: Child,
    address: SocketAddr,
    /// For whatever browsers write; removed when they have ended.
    folder: TempDir,
}

impl Driver {
    /// Starts it on a free port.
    pub fn start() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let mut command = Command::new("chromedriver");
        command
            .args(["--port=0", "--log-level=SEVERE"])
            .env("TMPDIR", folder.path())
            .stdin(Stdio::null())
            .stdout(Stdio::piped());
        let mut child = command
            .spawn()
            .expect("chromedriver is there; `cargo xtask install` installs it");
        let lines = BufReader::new(child.stdout.take().unwrap()).lines();
        let port = lines.map_while(Result::ok).find_map(|line| {
            let (_, port) = line.split_once("started successfully on port ")?;
            port.trim_end_matches('.').parse().ok()
        });
        let port: u16 = port.expect("chromedriver says its port");
        Self {
            child,
            address: SocketAddr::from(([127, 0, 0, 1], port)),
            folder,
        }
    }

    /// A browser of its own, with cookies of its own, as wide as a desktop's.
    pub async fn browser(&self) -> Browser {
        let data = tempfile::tempdir_in(self.folder.path()).unwrap();
        let user_data = format!("--user-data-dir={}", data.keep().display());
        let arguments = [
            "--headless",
            "--no-sandbox",
            "--disable-gpu",
            "--disable-quic",
            "--disable-dev-shm-usage",
            "--no-first-run",
            "--disable-background-networking",
            "--disable-component-update",
            "--disable-sync",
            "--window-size=1280,1000",
            &user_data,
        ];
        let wanted = json!({"capabilities": {"alwaysMatch": {
            "browserName": "chrome",
            "goog:chromeOptions": {"args": arguments},
            "goog:loggingPrefs": {"browser": "ALL"},
        }}});
        let mut client = Client::connect(self.address).await.unwrap();
        let made = send(&mut client, "POST", "/session", Some(wanted)).await;
        let session = made["sessionId"]
            .as_str()
            .unwrap_or_else(|| panic!("no session: {made}"))
            .to_owned();
        Browser {
            client,
            session,
            driver: self.address,
        }
    }
}

impl Drop for Driver {
    fn drop(&mut self) {
        let _ = Command::new("kill").arg(self.child.id().to_string()).status();
        let _ = self.child.wait();
    }
}

async fn send(client: &mut Client, method: &str, path: &str, body: Option<Value>) -> Value {
    let ask = Ask {
        method: method.parse().unwrap(),
        path: path.to_owned(),
        bearer: None,
        idempotency_key: None,
        body,
    };
    client.ask(&ask).await.unwrap().body["value"].take()
}

/// One browser with one page.
#[derive(Debug)]
pub struct Browser {
    client: Client,
    session: String,
    driver: SocketAddr,
}

impl Drop for Browser {
    fn drop(&mut self) {
        // Also where a test failed: a browser outlives its driver. The driver answers when it has ended.
        let request = format!(
            "DELETE /session/{} HTTP/1.1\r\nHost: {}\r\nConnection: close\r\n\r\n",
            self.session, self.driver
        );
        if let Ok(mut stream) = TcpStream::connect(self.driver) {
            let _ = stream.set_read_timeout(Some(ENDS_WITHIN));
            let _ = stream.write_all(request.as_bytes());
            let _ = stream.read(&mut [0; 64]);
        }
    }
}

impl Browser {
    async fn command(&mut self, path: &str, body: Value) -> Value {
        let path = format!("/session/{}/{path}", self.session);
        let value = send(&mut self.client, "POST", &path, Some(body)).await;
        assert!(value["error"].is_null(), "{path}: {value}");
        value
    }

    pub async fn open(&mut self, address: &str) {
        self.command("url", json!({"url": address})).await;
    }

    /// What a function body returns.
    pub async fn run(&mut self, script: &str) -> Value {
        self.command("execute/sync", json!({"script": script, "args": []}))
            .await
    }

    /// What a function body hands to its last argument, once it does.
    pub async fn run_async(&mut self, script: &str) -> Value {
        self.command("execute/async", json!({"script": script, "args": []}))
            .await
    }

    /// Waits until an element is there that `selector` finds and that contains `text`; its whole text.
    pub async fn wait_for(&mut self, selector: &str, text: &str) -> String {
        let found = json!([selector, text]);
        let script = format!(
            "const [selector, text] = {found};
             const all = [...document.querySelectorAll(selector)];
             return all.map((one) => one.innerText ?? one.textContent).find((one) => one.includes(text)) ?? null;"
        );
        for _ in 0..LOOKS_MAX {
            if let Value::String(found) = self.run(&script).await {
                return found;
            }
            tokio::time::sleep(LOOK_EVERY).await;
        }
        let shown = self
            .run("return location.pathname + '\\n' + document.body.innerText")
            .await;
        panic!("{selector} with {text:?} never came; the page shows {shown}");
    }

    pub async fn count(&mut self, selector: &str) -> u64 {
        let script = format!("return document.querySelectorAll({}).length", json!(selector));
        self.run(&script).await.as_u64().unwrap()
    }

    pub async fn path(&mut self) -> String {
        self.run("return location.pathname").await.as_str().unwrap().to_owned()
    }

    /// Clicks as a pointer does: what is covered or hidden cannot be clicked.
    pub async fn click(&mut self, selector: &str) {
        let found = self
            .command("element", json!({"using": "css selector", "value": selector}))
            .await;
        let element = found[ELEMENT].as_str().unwrap().to_owned();
        self.command(&format!("element/{element}/click"), json!({})).await;
    }

    /// A picture of one element, PNG as base64.
    pub async fn picture_of(&mut self, selector: &str) -> String {
        let found = self
            .command("element", json!({"using": "css selector", "value": selector}))
            .await;
        let element = found[ELEMENT].as_str().unwrap();
        let path = format!("/session/{}/element/{element}/screenshot", self.session);
        let picture = send(&mut self.client, "GET", &path, None).await;
        picture
            .as_str()
            .unwrap_or_else(|| panic!("no picture: {picture}"))
            .to_owned()
    }

    /// Presses keys one after the other, wherever the cursor stands.
    pub async fn press(&mut self, keys: &str) {
        let events = |key: char| {
            [
                json!({"type": "keyDown", "value": key}),
                json!({"type": "keyUp", "value": key}),
            ]
        };
        let actions: Vec<Value> = keys.chars().flat_map(events).collect();
        let keyboard = json!({"type": "key", "id": "keyboard", "actions": actions});
        self.command("actions", json!({"actions": [keyboard]})).await;
    }

    /// As on a device that prefers `light` or `dark`, and nothing that moves.
    pub async fn prefer(&mut self, scheme: &str) {
        let features = json!([
            {"name": "prefers-color-scheme", "value": scheme},
            {"name": "prefers-reduced-motion", "value": "reduce"},
        ]);
        self.emulate("Emulation.setEmulatedMedia", json!({"features": features}))
            .await;
    }

    /// As on a screen of this many points across.
    pub async fn widen(&mut self, width: u32) {
        let metrics = json!({"width": width, "height": 900, "deviceScaleFactor": 1, "mobile": false});
        self.emulate("Emulation.setDeviceMetricsOverride", metrics).await;
    }

    async fn emulate(&mut self, command: &str, parameters: Value) {
        self.command("goog/cdp/execute", json!({"cmd": command, "params": parameters}))
            .await;
    }

    /// What axe finds wrong with the page as it is shown now: rule and place.
    pub async fn barriers(&mut self) -> Vec<String> {
        self.run(AXE).await;
        let found = self.run_async(RUN_AXE).await;
        let found = found.as_array().unwrap_or_else(|| panic!("axe did not run: {found}"));
        found.iter().map(|one| one.as_str().unwrap().to_owned()).collect()
    }

    /// What the console told since it was last asked that is worse than a note; among it whatever the content security
    /// policy stopped.
    pub async fn complaints(&mut self) -> Vec<String> {
        let log = self.command("se/log", json!({"type": "browser"})).await;
        let worse = log
            .as_array()
            .unwrap()
            .iter()
            .filter(|entry| !["INFO", "DEBUG"].map(Value::from).contains(&entry["level"]));
        worse.map(|entry| entry["message"].to_string()).collect()
    }

    pub async fn check_console(&mut self) {
        assert_eq!(self.complaints().await, Vec::<String>::new());
    }
}
