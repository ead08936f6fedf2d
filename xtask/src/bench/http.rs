//! HTTP/1.1 as the load needs it: requests as bytes made beforehand, answers read for status and body.

use std::ops::Range;

use anyhow::{Context, Result, bail};

/// Longest head and body of an answer that the load reads.
pub const ANSWER_MAX: usize = 256 * 1024;

/// A whole answer at the beginning of a buffer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Answer {
    pub status: u16,
    pub body: Range<usize>,
}

/// The bytes of a request over a kept-open connection. `headers`: whole lines without their ends.
pub fn request(method: &str, path: &str, headers: &[String], body: &str) -> Vec<u8> {
    let mut text = format!("{method} {path} HTTP/1.1\r\nhost: 127.0.0.1\r\n");
    for header in headers {
        text.push_str(header);
        text.push_str("\r\n");
    }
    if !body.is_empty() {
        text.push_str("content-type: application/json\r\n");
    }
    if method != "GET" {
        text.push_str(&format!("content-length: {}\r\n", body.len()));
    }
    text.push_str("\r\n");
    text.push_str(body);
    text.into_bytes()
}

/// The answer at the beginning of `received`; `None`: more must come. Understands answers with a stated length alone,
/// which is what our server sends.
pub fn parse(received: &[u8]) -> Result<Option<Answer>> {
    let Some(head_length) = received.windows(4).position(|window| window == b"\r\n\r\n") else {
        if received.len() >= ANSWER_MAX {
            bail!("the head of an answer is longer than {ANSWER_MAX} bytes");
        }
        return Ok(None);
    };
    let mut lines = received[..head_length].split(|byte| *byte == b'\n');
    let status = status(lines.next().unwrap_or_default())?;
    let length = match lines.find_map(content_length) {
        Some(length) => length?,
        None if matches!(status, 204 | 304) => 0,
        None => bail!("an answer with status {status} states no content-length"),
    };
    let body = head_length + 4..head_length + 4 + length;
    if body.end > ANSWER_MAX {
        bail!("an answer of {} bytes is longer than the load reads", body.end);
    }
    Ok((received.len() >= body.end).then_some(Answer { status, body }))
}

fn status(line: &[u8]) -> Result<u16> {
    line.get(9..12)
        .and_then(|digits| std::str::from_utf8(digits).ok()?.parse().ok())
        .with_context(|| format!("not a status line: {}", String::from_utf8_lossy(line)))
}

fn content_length(line: &[u8]) -> Option<Result<usize>> {
    const NAME: &[u8] = b"content-length:";
    let (name, value) = line.split_at_checked(NAME.len())?;
    if !name.eq_ignore_ascii_case(NAME) {
        return None;
    }
    let value = String::from_utf8_lossy(value);
    Some(
        value
            .trim()
            .parse()
            .with_context(|| format!("not a content-length: {value}")),
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_answer_is_read_once_all_of_it_is_there() {
        let whole = b"HTTP/1.1 201 Created\r\nContent-Length: 4\r\nx: y\r\n\r\nbodyHTTP/1.1";
        let end = whole.len() - 8;
        for length in 0..end {
            assert_eq!(parse(&whole[..length]).unwrap(), None, "{length} bytes");
        }
        let answer = parse(whole).unwrap().unwrap();
        assert_eq!((answer.status, &whole[answer.body]), (201, &b"body"[..]));
    }

    #[test]
    fn an_answer_without_a_length_is_refused() {
        assert!(parse(b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n").is_err());
        assert!(parse(b"HTTP/1.1 204 No Content\r\n\r\n").unwrap().is_some());
        assert!(parse(b"SMTP ready\r\n\r\n").is_err());
    }

    #[test]
    fn a_request_states_its_length() {
        let bytes = request("POST", "/v1/echo", &["a: b".to_owned()], "{}");
        let text = String::from_utf8(bytes).unwrap();
        assert_eq!(
            text,
            "POST /v1/echo HTTP/1.1\r\nhost: 127.0.0.1\r\na: b\r\ncontent-type: application/json\r\n\
             content-length: 2\r\n\r\n{}"
        );
    }
}
