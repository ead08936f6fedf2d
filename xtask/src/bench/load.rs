//! The load: one thread that keeps a bounded number of connections busy and takes as little of the processor as it can,
//! because it shares it with the server.
//!
//! Closed: each connection asks again as soon as it was answered. Open: requests are due at random times of a stated rate
//! whether or not the server keeps up, and each is timed from when it was due; a closed load hides that queueing.

use std::collections::{BTreeMap, VecDeque};
use std::io::{ErrorKind, Read, Write};
use std::net::SocketAddr;
use std::time::{Duration, Instant};

use anyhow::{Context, Result};
use mio::net::TcpStream;
use mio::{Events, Interest, Poll, Token};

use super::http;
use super::machine::now;

/// Gives the requests and takes the answers.
pub trait Source {
    /// The bytes of the next request with a number that comes back with its answer. `None`: there is nothing more to ask.
    fn next(&mut self) -> Option<(usize, &[u8])>;
    fn answered(&mut self, number: usize, status: u16, body: &[u8]);
}

#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Arrivals {
    Closed,
    Open { per_second: f64 },
}

#[derive(Debug, Clone, Copy)]
pub struct Load {
    pub connections: usize,
    pub arrivals: Arrivals,
    /// Load that is not timed, before the window.
    pub warm_up: Duration,
    pub window: Duration,
}

impl Load {
    pub fn closed(connections: usize, window: Duration) -> Self {
        Self {
            connections,
            arrivals: Arrivals::Closed,
            warm_up: window / 10,
            window,
        }
    }

    /// As fast as `connections` can until the source has nothing more; nothing of it is timed.
    pub fn until_done(connections: usize) -> Self {
        Self {
            connections,
            arrivals: Arrivals::Closed,
            warm_up: Duration::from_secs(600),
            window: Duration::ZERO,
        }
    }
}

/// What came of a load. Answers before and after the window count as answered and are not timed.
#[derive(Debug, Default)]
pub struct Outcome {
    /// Answers 2xx.
    pub succeeded: u64,
    /// Other answers by their status.
    pub refused: BTreeMap<u16, u64>,
    /// The first of them, in words.
    pub refusal: Option<String>,
    /// Requests whose connection broke before the answer came, or that waited too long.
    pub lost: u64,
    /// Of the answers 2xx that came within the window, sorted.
    pub latencies_ns: Vec<u32>,
    /// How long was timed; shorter than asked for when the source had nothing more.
    pub window: Duration,
}

impl Outcome {
    /// 0 when nothing was timed.
    pub fn per_second(&self) -> f64 {
        self.latencies_ns.len() as f64 / self.window.as_secs_f64().max(f64::EPSILON)
    }

    /// `part`: 0.5 for the median. Milliseconds; 0 when nothing was timed.
    pub fn latency_ms(&self, part: f64) -> f64 {
        let last = self.latencies_ns.len().saturating_sub(1);
        let place = (last as f64 * part).round() as usize;
        self.latencies_ns
            .get(place)
            .map_or(0.0, |nanoseconds| f64::from(*nanoseconds) / 1e6)
    }

    /// Whether every request had an answer 2xx.
    pub fn is_clean(&self) -> bool {
        self.lost == 0 && self.refused.is_empty()
    }
}

/// How long answers may take after the last request was sent.
const DRAIN: Duration = Duration::from_secs(15);
const RECEIVE: usize = 64 * 1024;

/// Drives `source` against the server until the time is over or the source has nothing more, then waits for the
/// answers that are still due.
pub fn drive(address: SocketAddr, load: &Load, source: &mut dyn Source) -> Result<Outcome> {
    let mut driver = Driver::connect(address, load)?;
    driver.run(source)?;
    let ran_dry = driver
        .exhausted
        .then(|| driver.last_answer.saturating_duration_since(driver.window_from));
    let mut outcome = driver.outcome;
    outcome.latencies_ns.sort_unstable();
    outcome.window = ran_dry.map_or(load.window, |until| until.min(load.window));
    Ok(outcome)
}

struct Connection {
    stream: TcpStream,
    /// What the socket did not take yet.
    unsent: Vec<u8>,
    received: Vec<u8>,
    asked: Option<Asked>,
    broken: bool,
}

struct Asked {
    number: usize,
    /// When it was sent; in an open load, when it was due.
    since: Instant,
}

struct Driver {
    poll: Poll,
    connections: Vec<Connection>,
    /// Connections that wait for a request of an open load.
    idle: VecDeque<usize>,
    asked: usize,
    exhausted: bool,
    schedule: Option<Schedule>,
    window_from: Instant,
    window_until: Instant,
    last_answer: Instant,
    outcome: Outcome,
    buffer: Vec<u8>,
}

impl Driver {
    fn connect(address: SocketAddr, load: &Load) -> Result<Self> {
        let poll = Poll::new()?;
        let mut connections = Vec::with_capacity(load.connections);
        for index in 0..load.connections {
            let stream = std::net::TcpStream::connect(address)
                .with_context(|| format!("could not connect to the server at {address}"))?;
            stream.set_nodelay(true)?;
            stream.set_nonblocking(true)?;
            let mut stream = TcpStream::from_std(stream);
            poll.registry()
                .register(&mut stream, Token(index), Interest::READABLE | Interest::WRITABLE)?;
            connections.push(Connection {
                stream,
                unsent: Vec::new(),
                received: Vec::new(),
                asked: None,
                broken: false,
            });
        }
        let started = now();
        let schedule = match load.arrivals {
            Arrivals::Closed => None,
            Arrivals::Open { per_second } => Some(Schedule::new(started, per_second)),
        };
        Ok(Self {
            poll,
            idle: (0..load.connections).collect(),
            connections,
            asked: 0,
            exhausted: false,
            schedule,
            window_from: started + load.warm_up,
            window_until: started + load.warm_up + load.window,
            last_answer: started,
            outcome: Outcome::default(),
            buffer: vec![0; RECEIVE],
        })
    }

    fn run(&mut self, source: &mut dyn Source) -> Result<()> {
        let mut events = Events::with_capacity(1024);
        self.dispatch(now(), source);
        while !self.is_done(now()) {
            let timeout = self.timeout(now());
            match self.poll.poll(&mut events, Some(timeout)) {
                Err(error) if error.kind() == ErrorKind::Interrupted => continue,
                polled => polled?,
            }
            for event in &events {
                let index = event.token().0;
                if event.is_writable() {
                    self.send(index);
                }
                if event.is_readable() {
                    self.receive(index, source)?;
                }
            }
            self.dispatch(now(), source);
        }
        self.outcome.lost += self.asked as u64;
        Ok(())
    }

    fn is_done(&self, now: Instant) -> bool {
        let more = !self.exhausted && now < self.window_until && !self.connections.iter().all(|one| one.broken);
        let answers_due = self.asked > 0 && now < self.window_until + DRAIN;
        !more && !answers_due
    }

    fn timeout(&self, now: Instant) -> Duration {
        let longest = Duration::from_millis(100);
        match &self.schedule {
            Some(schedule) if !self.idle.is_empty() && !self.exhausted => {
                schedule.due.saturating_duration_since(now).min(longest)
            }
            _ => longest,
        }
    }

    /// Sends what is due on connections that are free.
    fn dispatch(&mut self, now: Instant, source: &mut dyn Source) {
        while !self.exhausted && now < self.window_until && !self.idle.is_empty() {
            let since = match &mut self.schedule {
                None => now,
                Some(schedule) if schedule.due <= now => schedule.take(),
                Some(_) => return,
            };
            if let Some(index) = self.idle.pop_front() {
                self.ask(index, since, source);
            }
        }
    }

    fn ask(&mut self, index: usize, since: Instant, source: &mut dyn Source) {
        let Some((number, bytes)) = source.next() else {
            self.exhausted = true;
            return;
        };
        let connection = &mut self.connections[index];
        connection.asked = Some(Asked { number, since });
        self.asked += 1;
        let sent = match connection.stream.write(bytes) {
            Ok(sent) => sent,
            Err(error) if error.kind() == ErrorKind::WouldBlock => 0,
            Err(_) => return self.give_up(index),
        };
        if sent < bytes.len() {
            connection.unsent.extend_from_slice(&bytes[sent..]);
        }
    }

    fn send(&mut self, index: usize) {
        let connection = &mut self.connections[index];
        while !connection.unsent.is_empty() {
            match connection.stream.write(&connection.unsent) {
                Ok(sent) => drop(connection.unsent.drain(..sent)),
                Err(error) if error.kind() == ErrorKind::WouldBlock => return,
                Err(_) => return self.give_up(index),
            }
        }
    }

    /// Reads what is there. One read is enough for a whole answer: the next answer comes with an event of its own.
    fn receive(&mut self, index: usize, source: &mut dyn Source) -> Result<()> {
        loop {
            let connection = &mut self.connections[index];
            let length = match connection.stream.read(&mut self.buffer) {
                Ok(length) if length > 0 => length,
                Err(error) if error.kind() == ErrorKind::WouldBlock => return Ok(()),
                Ok(_) | Err(_) => {
                    self.give_up(index);
                    return Ok(());
                }
            };
            let whole = if connection.received.is_empty() {
                &self.buffer[..length]
            } else {
                connection.received.extend_from_slice(&self.buffer[..length]);
                &connection.received[..]
            };
            if let Some(http::Answer { status, body }) = http::parse(whole)? {
                let text = &whole[body];
                if let Some(asked) = connection.asked.take() {
                    self.outcome
                        .note(&asked, status, text, self.window_from..self.window_until);
                    source.answered(asked.number, status, text);
                }
                connection.received.clear();
                self.asked -= 1;
                self.next(index, source);
                return Ok(());
            }
            if connection.received.is_empty() {
                connection.received.extend_from_slice(&self.buffer[..length]);
            }
        }
    }

    fn next(&mut self, index: usize, source: &mut dyn Source) {
        let now = now();
        self.last_answer = now;
        if self.schedule.is_none() && !self.exhausted && now < self.window_until {
            self.ask(index, now, source);
        } else {
            self.idle.push_back(index);
        }
    }

    /// The connection broke: its request is lost and it asks no more.
    fn give_up(&mut self, index: usize) {
        let connection = &mut self.connections[index];
        connection.unsent.clear();
        if connection.asked.take().is_some() {
            self.asked -= 1;
            self.outcome.lost += 1;
        }
        connection.broken = true;
        self.idle.retain(|idle| *idle != index);
    }
}

impl Outcome {
    fn note(&mut self, asked: &Asked, status: u16, body: &[u8], window: std::ops::Range<Instant>) {
        if !(200..300).contains(&status) {
            *self.refused.entry(status).or_default() += 1;
            self.refusal
                .get_or_insert_with(|| format!("{status}: {}", String::from_utf8_lossy(body)));
            return;
        }
        self.succeeded += 1;
        let now = now();
        if window.contains(&now) {
            let latency = now.saturating_duration_since(asked.since);
            self.latencies_ns
                .push(u32::try_from(latency.as_nanos()).unwrap_or(u32::MAX));
        }
    }
}

/// Random times whose distances average to a rate (a Poisson process), the same ones in every run.
struct Schedule {
    due: Instant,
    mean: Duration,
    state: u64,
}

impl Schedule {
    fn new(due: Instant, per_second: f64) -> Self {
        Self {
            due,
            mean: Duration::from_secs_f64(1.0 / per_second),
            state: 0x2545_F491_4F6C_DD1D,
        }
    }

    fn take(&mut self) -> Instant {
        let due = self.due;
        self.state ^= self.state << 13;
        self.state ^= self.state >> 7;
        self.state ^= self.state << 17;
        let uniform = (self.state >> 11) as f64 / (1u64 << 53) as f64;
        self.due += self.mean.mul_f64(-(1.0 - uniform).ln());
        due
    }
}

/// Asks the same few requests again and again.
#[derive(Debug)]
pub struct Repeat {
    pub requests: Vec<Vec<u8>>,
    next: usize,
}

impl Repeat {
    pub fn new(requests: Vec<Vec<u8>>) -> Self {
        Self { requests, next: 0 }
    }
}

impl Source for Repeat {
    fn next(&mut self) -> Option<(usize, &[u8])> {
        let number = self.next % self.requests.len();
        self.next += 1;
        Some((number, &self.requests[number]))
    }

    fn answered(&mut self, _number: usize, _status: u16, _body: &[u8]) {}
}

/// Asks each request once and keeps the answers.
#[derive(Debug)]
pub struct Once {
    requests: Vec<Vec<u8>>,
    next: usize,
    pub answers: Vec<Option<(u16, Vec<u8>)>>,
}

impl Once {
    pub fn new(requests: Vec<Vec<u8>>) -> Self {
        Self {
            next: 0,
            answers: vec![None; requests.len()],
            requests,
        }
    }
}

impl Source for Once {
    fn next(&mut self) -> Option<(usize, &[u8])> {
        let number = self.next;
        let request = self.requests.get(number)?;
        self.next += 1;
        Some((number, request))
    }

    fn answered(&mut self, number: usize, status: u16, body: &[u8]) {
        self.answers[number] = Some((status, body.to_vec()));
    }
}

#[cfg(test)]
mod tests {
    use std::net::TcpListener;
    use std::sync::Arc;
    use std::sync::atomic::{AtomicU64, Ordering};

    use super::*;

    /// A server that answers each request with its body, a byte at a time when `slowly`, and hangs up after `answers_max`.
    fn echo(answers_max: u64, slowly: bool) -> (SocketAddr, Arc<AtomicU64>) {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        let answered = Arc::new(AtomicU64::new(0));
        let count = answered.clone();
        std::thread::spawn(move || {
            for stream in listener.incoming() {
                let count = count.clone();
                std::thread::spawn(move || serve(stream.unwrap(), &count, answers_max, slowly));
            }
        });
        (address, answered)
    }

    fn serve(mut stream: std::net::TcpStream, count: &AtomicU64, answers_max: u64, slowly: bool) {
        stream.set_nodelay(true).unwrap();
        let mut received = Vec::new();
        let mut buffer = [0; 4096];
        loop {
            let Ok(length @ 1..) = stream.read(&mut buffer) else {
                return;
            };
            received.extend_from_slice(&buffer[..length]);
            let text = String::from_utf8(received.clone()).unwrap();
            let Some((_, body)) = text.split_once("\r\n\r\n") else {
                continue;
            };
            // Counted before it is sent: whoever has read the last answer finds it counted.
            let one_more = |answered| (answered < answers_max).then_some(answered + 1);
            if count
                .fetch_update(Ordering::SeqCst, Ordering::SeqCst, one_more)
                .is_err()
            {
                return;
            }
            let status = if body == "no" {
                "422 Unprocessable Content"
            } else {
                "200 OK"
            };
            let answer = format!("HTTP/1.1 {status}\r\ncontent-length: {}\r\n\r\n{body}", body.len());
            let step = if slowly { 1 } else { answer.len() };
            for part in answer.as_bytes().chunks(step) {
                if stream.write_all(part).is_err() {
                    return;
                }
            }
            received.clear();
        }
    }

    fn post(body: &str) -> Vec<u8> {
        http::request("POST", "/", &[], body)
    }

    #[test]
    fn every_request_gets_its_own_answer() {
        for slowly in [false, true] {
            let (address, served) = echo(u64::MAX, slowly);
            let mut once = Once::new((0..500).map(|number| post(&format!("body {number}"))).collect());
            let outcome = drive(address, &Load::until_done(7), &mut once).unwrap();
            assert!(outcome.is_clean());
            assert_eq!((outcome.succeeded, served.load(Ordering::SeqCst)), (500, 500));
            for (number, answer) in once.answers.into_iter().enumerate() {
                assert_eq!(answer.unwrap(), (200, format!("body {number}").into_bytes()));
            }
        }
    }

    #[test]
    fn refusals_are_counted_by_status() {
        let (address, _) = echo(u64::MAX, false);
        let mut once = Once::new(vec![post("yes"), post("no"), post("no")]);
        let outcome = drive(address, &Load::until_done(2), &mut once).unwrap();
        assert_eq!((outcome.succeeded, outcome.refused.get(&422)), (1, Some(&2)));
        assert_eq!(outcome.refusal.as_deref(), Some("422: no"));
    }

    #[test]
    fn a_server_that_dies_loses_at_most_one_request_per_connection() {
        let (address, served) = echo(100, false);
        let outcome = drive(
            address,
            &Load::until_done(4),
            &mut Repeat::new(vec![post("a"), post("b")]),
        )
        .unwrap();
        assert_eq!(outcome.succeeded, served.load(Ordering::SeqCst));
        assert!((1..=4).contains(&outcome.lost), "{outcome:?}");
    }

    #[test]
    fn the_timed_window_is_kept_closed_and_open() {
        let (address, served) = echo(u64::MAX, false);
        let window = Duration::from_millis(300);
        let closed = drive(address, &Load::closed(4, window), &mut Repeat::new(vec![post("x")])).unwrap();
        assert_eq!(closed.succeeded, served.load(Ordering::SeqCst));
        assert!(closed.is_clean() && (closed.latencies_ns.len() as u64) < closed.succeeded);
        assert!(closed.latency_ms(0.5) > 0.0 && closed.latency_ms(0.5) <= closed.latency_ms(0.99));

        let arrivals = Arrivals::Open { per_second: 500.0 };
        let load = Load {
            arrivals,
            ..Load::closed(4, window)
        };
        let open = drive(address, &load, &mut Repeat::new(vec![post("x")])).unwrap();
        assert!(open.is_clean());
        assert!((10..=300).contains(&open.succeeded), "{} of about 165", open.succeeded);
    }
}
