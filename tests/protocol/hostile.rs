//! A vendor or a gateway that is hostile: texts that would control a terminal, become a formula,
//! forge a line of the log or fill the disk. Such texts reach the cells of the user's output, and
//! nothing else.

use std::fs;

use serde_json::json;

use crate::raw::{Act, RawServer};
use crate::support::{Finished, Workspace, people_csv, run_arguments};

/// Text that no terminal may get: it sets the title and the color, moves the cursor back over the
/// line, reverses the direction of writing and forges a line.
const ODD: &str = "=1+1\u{1b}]0;PWNED\u{7}\u{1b}[31m\u{9b}2J\u{8}\u{202e}\r\nerror: forged";

/// Returns a whole answer with this HTTP code and body.
fn answer(http: u16, body: &serde_json::Value) -> Vec<u8> {
    let body = body.to_string();
    let length = body.len();
    format!("HTTP/1.1 {http} X\r\ncontent-length: {length}\r\n\r\n{body}").into_bytes()
}

/// Returns a success whose texts all contain `odd`.
fn verdict(n: usize, odd: &str) -> serde_json::Value {
    let result = json!({"order_no": odd, "handle_time": odd, "result": "01", "remark": odd});
    json!({"status": "OK", "result": result, "request_id": format!("{n}{odd}")})
}

#[track_caller]
fn steers_nothing(ended: &Finished) {
    for said in [&ended.stdout, &ended.stderr] {
        let odd = said.chars().find(|c| c.is_control() && *c != '\n' || *c == '\u{202e}');
        assert!(odd.is_none(), "{odd:?} in {said:?}");
        assert!(!said.lines().any(|line| line.starts_with("error: forged")), "{said}");
    }
}

#[test]
fn no_text_of_the_vendor_steers_a_terminal_or_is_a_formula() {
    let answers: [fn(usize) -> Vec<u8>; 4] = [
        |n| answer(200, &verdict(n, ODD)),
        |n| answer(200, &json!({"status": ODD, "result": {"result": ODD}, "request_id": n})),
        |n| answer(400, &json!({"status": ODD, "reason": ODD, "request_id": n})),
        |n| {
            answer(
                401,
                &json!({"status": "UNAUTHORIZED", "reason": ODD, "request_id": ODD, "n": n}),
            )
        },
    ];
    for act in answers {
        let (place, vendor) = (Workspace::new(), RawServer::answering(move |n| Act::Send(act(n))));
        place.write("in.csv", people_csv([1001, 1002, 1003]));
        for log in ["text", "json"] {
            let more = ["-vv", "--log", log, "--excel", "-o", "out.csv"];
            let ended = place.run("in.csv", &vendor.url(), &more);
            assert!(matches!(ended.code, Some(0 | 3 | 12)), "{}", ended.stderr);
            steers_nothing(&ended);
        }
        for command in [&["status"][..], &["status", "--json"], &["plan", "in.csv"]] {
            steers_nothing(&place.ceknik(&[command, &["--base-url", &vendor.url()]].concat()));
        }
        let summary = fs::read_to_string(place.path("out.csv.summary.json")).unwrap();
        assert!(!summary.contains("PWNED"), "{summary}");
        let output = ["out.csv", "out.partial.csv"].map(|name| fs::read(place.path(name)));
        let output = output.into_iter().find_map(Result::ok).unwrap();
        let mut cells = csv::ReaderBuilder::new().delimiter(b';').from_reader(&output[3..]);
        for cell in cells
            .records()
            .flat_map(|row| row.unwrap().iter().map(str::to_owned).collect::<Vec<_>>())
        {
            let is_text =
                cell.starts_with("=\"") || !cell.starts_with(['=', '+', '-', '@', '\t', '\r']);
            assert!(is_text, "a formula: {cell:?}");
        }
    }
}

#[test]
fn long_texts_of_the_vendor_are_cut_before_they_are_stored() {
    let vendor = RawServer::answering(|n| Act::Send(answer(200, &verdict(n, &"A".repeat(50_000)))));
    let place = Workspace::new();
    place.write("in.csv", people_csv([1001; 20]));
    let more = ["--ledger", "my.ledger", "-o", "out.csv"];
    place.ceknik(&run_arguments("in.csv", &vendor.url(), &more)).exits(0);
    let bytes = fs::metadata(place.path("my.ledger")).unwrap().len();
    assert!(bytes < 1 << 20, "{bytes} bytes for 20 answers");
    assert!(place.column("out.csv", "ck_remark").iter().all(|remark| remark.len() < 5000));
}
