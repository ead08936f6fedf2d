//! The two loads that count: making codes and paying with them.

use std::collections::VecDeque;
use std::time::{Duration, Instant};

use super::load::Source;
use super::machine::now;

/// Digits of a code.
pub const CODE: usize = 18;

/// A code that was made and not yet paid with.
#[derive(Debug, Clone, Copy)]
pub struct Made {
    digits: [u8; CODE],
    at: Instant,
}

/// Codes in the order in which they were made.
pub type Stock = VecDeque<Made>;

/// Throws away what is older than `age_max`; it could run out of time while it waits.
pub fn drop_old(stock: &mut Stock, age_max: Duration) {
    let now = now();
    while stock.front().is_some_and(|made| now - made.at > age_max) {
        stock.pop_front();
    }
}

/// Codes of one device that live at the same time.
const CODES_OF_DEVICE: usize = 2;

/// Asks for codes, a person after the other, until `count_max` were asked for. A third code of one device ends the first,
/// so every second round over the people is another device's.
#[derive(Debug)]
pub struct MakeCodes<'w> {
    /// One per person.
    pub requests: &'w mut [Template],
    pub stock: &'w mut Stock,
    pub next: &'w mut usize,
    pub count_max: usize,
    pub unreadable: usize,
}

impl Source for MakeCodes<'_> {
    fn next(&mut self) -> Option<(usize, &[u8])> {
        self.count_max = self.count_max.checked_sub(1)?;
        let people = self.requests.len();
        let (person, device) = (*self.next % people, *self.next / people / CODES_OF_DEVICE);
        *self.next += 1;
        Some((person, self.requests[person].fill(&[&digits(device)])))
    }

    fn answered(&mut self, _number: usize, status: u16, body: &[u8]) {
        if status != 201 {
            return;
        }
        match code_in(body) {
            Some(digits) => self.stock.push_back(Made { digits, at: now() }),
            None => self.unreadable += 1,
        }
    }
}

/// The first text of eighteen digits in quotation marks.
fn code_in(body: &[u8]) -> Option<[u8; CODE]> {
    let window = body.windows(CODE + 2).find(|window| {
        window[0] == b'"' && window[CODE + 1] == b'"' && window[1..=CODE].iter().all(u8::is_ascii_digit)
    })?;
    window[1..=CODE].try_into().ok()
}

/// What stands in a request's bytes where something is filled in: a code of [`CODE`] digits, and numbers of twelve.
pub const CODE_MARK: &str = "<<<<< code >>>>>>>";
pub const NUMBER_MARK: &str = "<< number >>";
pub const DEVICE_MARK: &str = "<< device >>";

/// A request whose changing parts are filled in at the last moment.
#[derive(Debug, Clone)]
pub struct Template {
    bytes: Vec<u8>,
    /// For each mark where it stands.
    places: Vec<Vec<usize>>,
}

impl Template {
    /// `bytes` hold each mark at least once.
    pub fn new(bytes: Vec<u8>, marks: &[&str]) -> Self {
        let places_of = |mark: &&str| {
            let windows = bytes.windows(mark.len()).enumerate();
            let found = windows.filter(|(_, window)| *window == mark.as_bytes());
            let places: Vec<usize> = found.map(|(place, _)| place).collect();
            assert!(!places.is_empty(), "the request has the mark {mark}");
            places
        };
        let places = marks.iter().map(places_of).collect();
        Self { bytes, places }
    }

    /// `values`: one per mark and as long as it.
    fn fill(&mut self, values: &[&[u8]]) -> &[u8] {
        for (places, value) in self.places.iter().zip(values) {
            for place in places {
                self.bytes[*place..*place + value.len()].copy_from_slice(value);
            }
        }
        &self.bytes
    }
}

/// Twelve digits with leading zeros.
pub fn digits(mut number: usize) -> [u8; 12] {
    let mut digits = [b'0'; 12];
    for digit in digits.iter_mut().rev() {
        *digit = b'0' + (number % 10) as u8;
        number /= 10;
    }
    digits
}

/// Pays with the codes of a stock, the oldest first, each once, the tills in turn.
#[derive(Debug)]
pub struct Pay<'w> {
    pub tills: &'w mut [Template],
    pub stock: &'w mut Stock,
    /// The next order number.
    pub next: &'w mut usize,
}

impl Source for Pay<'_> {
    fn next(&mut self) -> Option<(usize, &[u8])> {
        let code = self.stock.pop_front()?;
        let number = *self.next;
        *self.next += 1;
        let till = number % self.tills.len();
        Some((number, self.tills[till].fill(&[&code.digits, &digits(number)])))
    }

    fn answered(&mut self, _number: usize, _status: u16, _body: &[u8]) {}
}

/// Asks to be paid for rides, a person after the other.
#[derive(Debug)]
pub struct Rides<'w> {
    /// One per person.
    pub requests: &'w mut [Template],
    /// The next ride's number.
    pub next: &'w mut usize,
}

impl Source for Rides<'_> {
    fn next(&mut self) -> Option<(usize, &[u8])> {
        let number = *self.next;
        *self.next += 1;
        let person = number % self.requests.len();
        Some((number, self.requests[person].fill(&[&digits(number)])))
    }

    fn answered(&mut self, _number: usize, _status: u16, _body: &[u8]) {}
}

/// Pays until `answers_max` were answered, then kills the server through `kill`, and knows which orders were answered.
pub struct PayUntilKilled<'w> {
    pub pay: Pay<'w>,
    pub answers_max: usize,
    pub kill: &'w mut dyn FnMut(),
    pub answered: Vec<usize>,
}

impl Source for PayUntilKilled<'_> {
    fn next(&mut self) -> Option<(usize, &[u8])> {
        if self.answered.len() >= self.answers_max {
            return None;
        }
        self.pay.next()
    }

    fn answered(&mut self, number: usize, status: u16, _body: &[u8]) {
        if !(200..300).contains(&status) {
            return;
        }
        self.answered.push(number);
        if self.answered.len() == self.answers_max {
            (self.kill)();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_code_is_found_in_an_answer() {
        let body = br#"{"id":"code_123456789012345678901","number":"12345678901234567","code":"280123456789012345"}"#;
        assert_eq!(code_in(body), Some(*b"280123456789012345"));
        assert_eq!(code_in(b"{}"), None);
    }

    #[test]
    fn a_payment_is_filled_in_again_and_again() {
        let text = format!("key: b-{NUMBER_MARK}\r\n{{\"code\":\"{CODE_MARK}\",\"order\":\"B{NUMBER_MARK}\"}}");
        let mut template = Template::new(text.into_bytes(), &[CODE_MARK, NUMBER_MARK]);
        for number in [7, 123_456_789_012] {
            let filled = template.fill(&[b"280123456789012345", &digits(number)]).to_vec();
            let filled = String::from_utf8(filled).unwrap();
            let expected =
                format!("key: b-{number:012}\r\n{{\"code\":\"280123456789012345\",\"order\":\"B{number:012}\"}}");
            assert_eq!(filled, expected);
        }
    }

    #[test]
    fn codes_are_paid_in_the_order_they_were_made() {
        let mut stock = Stock::new();
        let mut next_person = 0;
        let request = |person| Template::new(format!("{person}{DEVICE_MARK}").into_bytes(), &[DEVICE_MARK]);
        let mut requests = [request("a"), request("b")];
        let mut make = MakeCodes {
            requests: &mut requests,
            stock: &mut stock,
            next: &mut next_person,
            count_max: 5,
            unreadable: 0,
        };
        let asked = [
            "a000000000000",
            "b000000000000",
            "a000000000000",
            "b000000000000",
            "a000000000001",
        ];
        for (digit, asked) in ["1", "2", "3", "4", "5"].into_iter().zip(asked) {
            assert_eq!(make.next().unwrap().1, asked.as_bytes());
            make.answered(0, 201, format!("{{\"code\":\"{}\"}}", digit.repeat(CODE)).as_bytes());
        }
        assert!(make.next().is_none());
        let mut tills = [Template::new(
            format!("{CODE_MARK}{NUMBER_MARK}").into_bytes(),
            &[CODE_MARK, NUMBER_MARK],
        )];
        let mut next = 5;
        let mut pay = Pay {
            tills: &mut tills,
            stock: &mut stock,
            next: &mut next,
        };
        assert_eq!(pay.next(), Some((5, &b"111111111111111111000000000005"[..])));
        assert_eq!(pay.next(), Some((6, &b"222222222222222222000000000006"[..])));
        drop_old(&mut stock, Duration::ZERO);
        assert!(stock.is_empty());
    }
}
