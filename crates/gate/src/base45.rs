//! Base45 (RFC 9285): bytes as letters that QR codes hold at eleven bits a pair.

const LETTERS: &[u8; 45] = b"0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ $%*+-./:";
const NONE: u8 = 0xff;
const VALUES: [u8; 256] = values();

const fn values() -> [u8; 256] {
    let mut values = [NONE; 256];
    let mut value = 0;
    while value < LETTERS.len() {
        values[LETTERS[value] as usize] = value as u8;
        value += 1;
    }
    values
}

pub fn encode(bytes: &[u8]) -> String {
    let mut text = String::with_capacity(bytes.len().div_ceil(2) * 3);
    let mut push = |value: u32| text.push(char::from(LETTERS[value as usize]));
    for pair in bytes.chunks(2) {
        match *pair {
            [high, low] => {
                let number = u32::from(high) << 8 | u32::from(low);
                push(number % 45);
                push(number / 45 % 45);
                push(number / 2025);
            }
            [last] => {
                push(u32::from(last) % 45);
                push(u32::from(last) / 45);
            }
            _ => {}
        }
    }
    text
}

/// `None`: another letter, a length that no bytes have, or three letters above 65535 or two above 255.
pub fn decode(text: &str) -> Option<Vec<u8>> {
    let text = text.as_bytes();
    let mut bytes = Vec::with_capacity(text.len() / 3 * 2 + 1);
    for group in text.chunks(3) {
        let value = |place: usize| match VALUES[usize::from(group[place])] {
            NONE => None,
            value => Some(u32::from(value)),
        };
        match group.len() {
            3 => {
                let number = value(0)? + value(1)? * 45 + value(2)? * 2025;
                bytes.extend(u16::try_from(number).ok()?.to_be_bytes());
            }
            2 => bytes.push(u8::try_from(value(0)? + value(1)? * 45).ok()?),
            _ => return None,
        }
    }
    Some(bytes)
}
