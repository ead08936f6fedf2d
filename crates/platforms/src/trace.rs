//! The request of a user that work belongs to, in the form of W3C Trace Context, so that the logs of platforms that live in
//! different places can be read together.

use std::future::Future;

use crate::env::fingerprint;

tokio::task_local! {
    static PARENT: String;
}

/// `traceparent` of what runs now; `None` outside of any request.
pub fn parent() -> Option<String> {
    PARENT.try_with(Clone::clone).ok()
}

/// The thirty-two digits that every step of one request shares; empty outside of one.
pub fn trace_id() -> String {
    parent().map_or(String::new(), |parent| parent[3..35].to_owned())
}

/// Runs `work` as part of the request that `parent` names; a text that is none is left out.
pub async fn within<F: Future>(parent: Option<String>, work: F) -> F::Output {
    match parent.filter(|parent| is_parent(parent)) {
        Some(parent) => PARENT.scope(parent, work).await,
        None => work.await,
    }
}

/// A new trace for a request that came with none, drawn from its own id.
pub fn begun_by(request_id: &str) -> String {
    let digits = fingerprint(&[b"trace", request_id.as_bytes()]);
    format!("00-{}-{}-01", &digits[..32], &digits[32..48])
}

/// `00-` and 32 digits, 16 digits, 2 digits, as version 00 writes it; neither id may be zero.
pub fn is_parent(text: &str) -> bool {
    let parts: Vec<&str> = text.split('-').collect();
    let hex = |part: &str, length: usize| {
        let digit = |byte: u8| byte.is_ascii_digit() || (b'a'..=b'f').contains(&byte);
        part.len() == length && part.bytes().all(digit)
    };
    match parts[..] {
        ["00", trace, span, flags] => {
            let zero = |id: &str| id.bytes().all(|byte| byte == b'0');
            hex(trace, 32) && hex(span, 16) && hex(flags, 2) && !zero(trace) && !zero(span)
        }
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn s21_a_trace_is_read_as_w3c_writes_it() {
        let begun = begun_by("0000-1");
        assert!(is_parent(&begun), "{begun}");
        assert!(is_parent("00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"));
        for wrong in [
            "",
            "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7",
            "01-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01",
            "00-00000000000000000000000000000000-00f067aa0ba902b7-01",
            "00-4BF92F3577B34DA6A3CE929D0E0E4736-00f067aa0ba902b7-01",
        ] {
            assert!(!is_parent(wrong), "{wrong}");
        }
    }
}
