//! Content of a request: the account, and the pair that is asked about. Pure: headers and bytes in,
//! values out.
//!
//! Must hold: a body of a kind that the sandbox is not set to understand is read as a body without
//! arguments, as gateways of this family do.
//!
//! Never: prints what it read. `Subject` has no `Debug` on purpose.

use serde::Deserialize;

use super::answer::Answer;
use super::options::Accepts;

/// Result of the check of the credentials.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Account {
    Accepted,
    Unknown,
    Expired,
    Forbidden,
}

/// Pair that a request asks about.
pub(super) struct Subject {
    pub(super) nik: String,
    pub(super) name: String,
    /// First 64 bits of BLAKE3 over NIK, newline and name.
    pub(super) pair: u64,
}

#[derive(Default, Deserialize)]
struct Arguments {
    id_number: Option<String>,
    name: Option<String>,
}

/// Checks the two headers with the credentials. A missing header counts as empty.
pub(super) fn account(id: &[u8], secret: &[u8]) -> Account {
    match (id, secret) {
        (b"", _) | (_, b"") | (b"refused", b"refused") => Account::Unknown,
        (b"expired", _) => Account::Expired,
        (b"forbidden", _) => Account::Forbidden,
        _ => Account::Accepted,
    }
}

/// Reads the arguments of a request. The error is the answer to a request whose arguments are
/// missing or cannot be read.
pub(super) fn subject(kind: &[u8], body: &[u8], accepts: Accepts) -> Result<Subject, Answer> {
    let arguments = if is(kind, b"application/json") && accepts != Accepts::Form {
        serde_json::from_slice(body).map_err(|_| Answer::BadBody)?
    } else if is(kind, b"application/x-www-form-urlencoded") && accepts != Accepts::Json {
        form(body)
    } else {
        Arguments::default()
    };
    let given = |argument: Option<String>| argument.filter(|text| !text.is_empty());
    let nik = given(arguments.id_number).ok_or(Answer::MissingId)?;
    let name = given(arguments.name).ok_or(Answer::MissingName)?;
    let pair = pair_hash(&nik, &name);
    Ok(Subject { nik, name, pair })
}

/// Checks whether a content type is the wanted one, without regard to its parameters.
fn is(kind: &[u8], wanted: &[u8]) -> bool {
    kind.split(|byte| *byte == b';')
        .next()
        .is_some_and(|essence| essence.trim_ascii().eq_ignore_ascii_case(wanted))
}

fn form(body: &[u8]) -> Arguments {
    let mut arguments = Arguments::default();
    for (key, value) in url::form_urlencoded::parse(body) {
        match key.as_ref() {
            "id_number" => arguments.id_number = Some(value.into_owned()),
            "name" => arguments.name = Some(value.into_owned()),
            _ => {}
        }
    }
    arguments
}

fn pair_hash(nik: &str, name: &str) -> u64 {
    let hash = blake3::hash(format!("{nik}\n{name}").as_bytes());
    let [a, b, c, d, e, f, g, h, ..] = *hash.as_bytes();
    u64::from_be_bytes([a, b, c, d, e, f, g, h])
}

#[cfg(test)]
mod tests {
    use super::*;

    const JSON: &[u8] = b"application/json";
    const FORM: &[u8] = b"application/x-www-form-urlencoded";

    fn read(kind: &[u8], body: &str, accepts: Accepts) -> Result<(String, String), Answer> {
        subject(kind, body.as_bytes(), accepts).map(|subject| (subject.nik, subject.name))
    }

    #[test]
    fn json_and_form_say_the_same() {
        let expected = Ok(("3275010101900001".to_owned(), "SITI \"A\" NUR'AINI".to_owned()));
        let json = r#"{"id_number":"3275010101900001","name":"SITI \"A\" NUR'AINI","more":1}"#;
        let form = "id_number=3275010101900001&name=SITI+%22A%22+NUR%27AINI&more=1";
        assert_eq!(read(JSON, json, Accepts::Both), expected);
        assert_eq!(read(b"Application/JSON; charset=utf-8", json, Accepts::Json), expected);
        assert_eq!(read(FORM, form, Accepts::Both), expected);
        assert_eq!(read(FORM, form, Accepts::Form), expected);
    }

    #[test]
    fn what_is_not_understood_has_no_arguments() {
        let (json, form) = (r#"{"id_number":"1","name":"A"}"#, "id_number=1&name=A");
        for (kind, body, accepts) in [
            (JSON, json, Accepts::Form),
            (FORM, form, Accepts::Json),
            (FORM, json, Accepts::Both),
            (b"text/plain", json, Accepts::Both),
            (b"", json, Accepts::Both),
            (JSON, "{}", Accepts::Both),
            (JSON, r#"{"id_number":null,"name":"A"}"#, Accepts::Both),
            (JSON, r#"{"id_number":"","name":"A"}"#, Accepts::Both),
        ] {
            assert_eq!(read(kind, body, accepts), Err(Answer::MissingId), "{body}");
        }
        for (kind, body) in [(JSON, r#"{"id_number":"1"}"#), (FORM, "id_number=1&name=")] {
            assert_eq!(read(kind, body, Accepts::Both), Err(Answer::MissingName));
        }
        for body in ["", "[", r#"{"id_number":1,"name":"A"}"#] {
            assert_eq!(read(JSON, body, Accepts::Both), Err(Answer::BadBody));
        }
    }

    #[test]
    fn the_documented_accounts_are_refused() {
        for (id, secret, expected) in [
            ("a", "b", Account::Accepted),
            ("refused", "b", Account::Accepted),
            ("refused", "refused", Account::Unknown),
            ("", "b", Account::Unknown),
            ("a", "", Account::Unknown),
            ("expired", "b", Account::Expired),
            ("forbidden", "b", Account::Forbidden),
        ] {
            assert_eq!(account(id.as_bytes(), secret.as_bytes()), expected, "{id}");
        }
    }

    #[test]
    fn the_pair_is_the_head_of_a_plain_hash() {
        let whole = blake3::hash(b"3275010101900001\nSITI").to_hex();
        let pair = pair_hash("3275010101900001", "SITI");
        assert_eq!(format!("{pair:016x}"), whole[..16]);
    }
}
