//! The vendor's contract, case by case, as the whole program acts on it: the columns of the row,
//! the exit code, and the number of requests that the vendor got.

use std::thread;
use std::time::Duration;

use crate::mock::{Answer, ID, Vendor, answer, code, fails, page};
use crate::raw::{Act, RawServer, a_match};
use crate::support::money::Charges;
use crate::support::{Workspace, closed_port, people_csv};

/// One case: its name, the answers (the last answer is repeated), the shown columns of the row, the
/// exit code, and the number of requests.
type Case = (&'static str, Vec<Answer>, [&'static str; 6], i32, usize);

/// The columns that a case compares.
const SHOWN: [&str; 6] =
    ["ck_outcome", "ck_result", "ck_status", "ck_charged", "ck_possible", "ck_attempts"];

/// Number of cases at the same time. The programs wait for disk and backoff more than they use the
/// CPU.
const AT_A_TIME: usize = 4;

async fn check(cases: Vec<Case>) {
    let mut vendors = Vec::new();
    for (_, answers, ..) in &cases {
        vendors.push(Vendor::answering(answers).await);
    }
    let addresses: Vec<String> = vendors.iter().map(Vendor::url).collect();
    for (cases, addresses) in cases.chunks(AT_A_TIME).zip(addresses.chunks(AT_A_TIME)) {
        thread::scope(|scope| {
            for (case, address) in cases.iter().zip(addresses) {
                scope.spawn(move || run(case, address));
            }
        });
    }
    for ((what, .., requests), vendor) in cases.iter().zip(&vendors) {
        assert_eq!(vendor.count().await, *requests, "{what}: requests");
    }
}

/// Runs one made-up person against the answers of a case.
fn run((what, _, shows, exit, requests): &Case, address: &str) {
    let place = Workspace::new();
    place.write("in.csv", people_csv([1001]));
    // The rate is finite, since a run without a rate limit continues very slowly after it was
    // throttled.
    let fast = ["--rate", "1000", "--backoff", "5ms", "--max-attempts", "3"];
    let ended = place.ceknik(&[&["run", "in.csv", "--base-url", address][..], &fast].concat());
    assert_eq!(ended.code, Some(*exit), "{what}: {}", ended.stderr);
    let stopped = *exit >= 12;
    let output = if stopped { "in.verified.partial.csv" } else { "in.verified.csv" };
    let rows = place.rows(output);
    assert_eq!(SHOWN.map(|column| rows[0][column].as_str()), *shows, "{what}");
    assert_eq!(place.path("in.verified.csv").exists(), !stopped, "{what}");
    let summary = place.summary("in.verified.csv");
    assert_eq!(summary["exit"], *exit, "{what}");
    assert_eq!(summary["spending"]["calls"], *requests, "{what}");
    assert_eq!(Charges::of_tally(&summary["spending"]), Charges::of_rows(&rows), "{what}");
}

/// Returns a success with this JSON as `result`.
fn success(result: &str) -> Answer {
    answer(200, format!(r#"{{"status":"OK","result":{result},"request_id":"{ID}"}}"#))
}

#[tokio::test]
async fn result_codes_and_their_money() {
    let one = |answer| vec![answer];
    check(vec![
        ("01", one(code("01")), ["match", "01", "OK", "yes", "0", "1"], 0, 1),
        ("02", one(code("02")), ["mismatch", "02", "OK", "yes", "0", "1"], 0, 1),
        ("03", one(code("03")), ["not_sure", "03", "OK", "no", "0", "1"], 0, 1),
        ("04", one(code("04")), ["failed", "04", "OK", "no", "0", "1"], 0, 1),
        ("77", one(code("77")), ["unknown", "77", "OK", "unknown", "1", "1"], 3, 1),
        ("empty code", one(code("")), ["unknown", "", "OK", "unknown", "1", "1"], 3, 1),
        ("long code", one(code("001")), ["unknown", "001", "OK", "unknown", "1", "1"], 3, 1),
        (
            "numeric",
            one(success(r#"{"order_no":1,"result":1}"#)),
            ["match", "01", "OK", "yes", "0", "1"],
            0,
            1,
        ),
        (
            "numeric, unknown",
            one(success(r#"{"result":7.5}"#)),
            ["unknown", "7.5", "OK", "unknown", "1", "1"],
            3,
            1,
        ),
        (
            "no remark",
            one(success(r#"{"result":"02"}"#)),
            ["mismatch", "02", "OK", "yes", "0", "1"],
            0,
            1,
        ),
        (
            "extra fields",
            one(success(r#"{"result":"01","remark":null,"score":[1,{"a":2}],"x":{}}"#)),
            ["match", "01", "OK", "yes", "0", "1"],
            0,
            1,
        ),
        ("no code", one(success("{}")), ["in_doubt", "", "OK", "unknown", "1", "1"], 3, 1),
        ("null result", one(success("null")), ["in_doubt", "", "OK", "unknown", "1", "1"], 3, 1),
        (
            "list result",
            one(success(r#"["O1","2025-07-01 10:12:20","01","R"]"#)),
            ["in_doubt", "", "OK", "unknown", "1", "1"],
            3,
            1,
        ),
        ("text result", one(success(r#""01""#)), ["in_doubt", "", "OK", "unknown", "1", "1"], 3, 1),
        (
            "OK with HTTP 500",
            one(answer(500, r#"{"status":"OK","result":{"result":"01"}}"#)),
            ["match", "01", "OK", "yes", "0", "1"],
            0,
            1,
        ),
        (
            "OK with HTTP 201",
            one(answer(201, r#"{"status":"OK","result":{"result":"04"}}"#)),
            ["failed", "04", "OK", "no", "0", "1"],
            0,
            1,
        ),
    ])
    .await;
}

#[tokio::test]
async fn refusals_of_a_row() {
    let refused = |status| ["refused", "", status, "no", "0", "1"];
    let one = |answer| vec![answer, code("01")];
    check(vec![
        (
            "INVALID_ARGUMENT",
            one(fails(400, "INVALID_ARGUMENT", "id_number is malformed")),
            refused("INVALID_ARGUMENT"),
            3,
            1,
        ),
        (
            "ABNORMAL",
            one(fails(400, "ABNORMAL_BEHAVIOURS_DETECTED", "same parameters repeated")),
            refused("ABNORMAL_BEHAVIOURS_DETECTED"),
            3,
            1,
        ),
        ("unknown at 400", one(fails(400, "NEW_ONE", "?")), refused("NEW_ONE"), 3, 1),
        ("unknown at 403", one(fails(403, "NEW_ONE", "?")), refused("NEW_ONE"), 3, 1),
        ("unknown at 401", one(fails(401, "NEW_ONE", "?")), refused("NEW_ONE"), 3, 1),
        ("400 html", one(page(400)), refused(""), 3, 1),
        ("400 empty", one(answer(400, "")), refused(""), 3, 1),
        ("405 html", one(page(405)), refused(""), 3, 1),
        ("413 html", one(page(413)), refused(""), 3, 1),
        ("422 html", one(page(422)), refused(""), 3, 1),
        (
            "unknown at 200",
            one(fails(200, "NEW_ONE", "?")),
            ["refused", "", "NEW_ONE", "unknown", "1", "1"],
            3,
            1,
        ),
    ])
    .await;
}

#[tokio::test]
async fn temporary_failures_are_asked_again() {
    let heals = |answer: Answer| vec![answer, code("01")];
    let lasts = |answer: Answer| vec![answer];
    let healed = ["match", "01", "OK", "yes", "0", "2"];
    // The verdict is charged, and the gateway may have caused one more charge.
    let healed_unsure = ["match", "01", "OK", "yes", "1", "2"];
    let gone = |status| ["unavailable", "", status, "no", "0", "3"];
    // A pair that may have been charged twice is not sent a third time.
    let gone_unsure = |status| ["unavailable", "", status, "unknown", "2", "2"];
    let query = || fails(400, "QUERY_FAILED", "try later");
    let internal = || fails(500, "INTERNAL_ERROR", "oops");
    let down = || fails(512, "SOURCE_SERVICE_UNAVAILABLE", "maintenance");
    let slow = || fails(513, "SOURCE_SERVICE_TIMEOUT", "slow");
    let late = || fails(504, "SOURCE_SERVICE_TIMEOUT", "slow");
    let odd = || fails(503, "NEW_ONE", "?");
    check(vec![
        ("QUERY_FAILED heals", heals(query()), healed, 0, 2),
        ("QUERY_FAILED lasts", lasts(query()), gone("QUERY_FAILED"), 3, 3),
        ("500 heals", heals(internal()), healed, 0, 2),
        ("500 lasts", lasts(internal()), gone("INTERNAL_ERROR"), 3, 3),
        ("512 heals", heals(down()), healed, 0, 2),
        ("512 lasts", lasts(down()), gone("SOURCE_SERVICE_UNAVAILABLE"), 3, 3),
        ("513 heals", heals(slow()), healed, 0, 2),
        ("513 lasts", lasts(slow()), gone("SOURCE_SERVICE_TIMEOUT"), 3, 3),
        ("502 html heals", heals(page(502)), healed_unsure, 0, 2),
        ("502 html lasts", lasts(page(502)), gone_unsure(""), 3, 2),
        ("503 html heals", heals(page(503)), healed_unsure, 0, 2),
        ("503 empty lasts", lasts(answer(503, "")), gone_unsure(""), 3, 2),
        ("502 empty heals", heals(answer(502, "")), healed_unsure, 0, 2),
        ("500 html heals", heals(page(500)), healed_unsure, 0, 2),
        ("512 html heals", heals(page(512)), healed_unsure, 0, 2),
        ("503 unknown heals", heals(odd()), healed_unsure, 0, 2),
        ("503 unknown lasts", lasts(odd()), gone_unsure("NEW_ONE"), 3, 2),
        ("the vendor's 504 heals", heals(late()), healed, 0, 2),
        (
            "502, then busy, then 502",
            vec![page(502), internal(), page(502)],
            ["unavailable", "", "", "unknown", "2", "3"],
            3,
            3,
        ),
        (
            "502, then refused",
            vec![page(502), fails(400, "INVALID_ARGUMENT", "bad")],
            ["refused", "", "INVALID_ARGUMENT", "unknown", "1", "2"],
            3,
            2,
        ),
        (
            "502, then mismatch",
            vec![page(502), code("02")],
            ["mismatch", "02", "OK", "yes", "1", "2"],
            0,
            2,
        ),
        (
            "502, then not sure",
            vec![page(502), code("03")],
            ["not_sure", "03", "OK", "unknown", "1", "2"],
            0,
            2,
        ),
        (
            "502, then in doubt",
            vec![page(502), page(504)],
            ["in_doubt", "", "", "unknown", "2", "2"],
            3,
            2,
        ),
    ])
    .await;
}

#[tokio::test]
async fn throttling_costs_no_attempt_of_the_row() {
    let limited = || fails(403, "RATE_LIMIT_EXCEEDED", "slow down");
    let healed = |attempts| ["match", "01", "OK", "yes", "0", attempts];
    let then = |answers: &[Answer]| [answers, &[code("01")]].concat();
    check(vec![
        ("RATE_LIMIT_EXCEEDED", then(&[limited()]), healed("2"), 0, 2),
        // More often than `--max-attempts`.
        ("RATE_LIMIT_EXCEEDED 5 times", then(&vec![limited(); 5]), healed("6"), 0, 6),
        ("bare 429", then(&[answer(429, "")]), healed("2"), 0, 2),
        ("429 html 4 times", then(&vec![page(429); 4]), healed("5"), 0, 5),
        ("429 unknown", then(&[fails(429, "NEW_ONE", "?")]), healed("2"), 0, 2),
        ("429 limited", then(&[fails(429, "RATE_LIMIT_EXCEEDED", "?")]), healed("2"), 0, 2),
    ])
    .await;
}

#[tokio::test]
async fn what_stops_the_run_at_once() {
    let stopped = |status| ["not_sent", "", status, "no", "0", "1"];
    let one = |answer| vec![answer, code("01")];
    let away = |http| page(http).with("location", "https://elsewhere.invalid/");
    let moved = answer(302, r#"{"status":"OK","result":{"result":"01"}}"#);
    check(vec![
        ("UNAUTHORIZED", one(fails(401, "UNAUTHORIZED", "no")), stopped("UNAUTHORIZED"), 12, 1),
        ("KEY_EXPIRED", one(fails(401, "KEY_EXPIRED", "no")), stopped("KEY_EXPIRED"), 12, 1),
        ("NO_PERMISSION", one(fails(403, "NO_PERMISSION", "no")), stopped("NO_PERMISSION"), 12, 1),
        ("OUT_OF_QUOTA", one(fails(403, "OUT_OF_QUOTA", "no")), stopped("OUT_OF_QUOTA"), 14, 1),
        ("OUT_OF_QUOTA, 429", one(fails(429, "OUT_OF_QUOTA", "")), stopped("OUT_OF_QUOTA"), 14, 1),
        ("404 of the vendor", one(fails(404, "NOT_FOUND", "no")), stopped("NOT_FOUND"), 12, 1),
        ("404 html", one(page(404)), stopped(""), 12, 1),
        ("401 html", one(page(401)), stopped(""), 12, 1),
        ("401 a list", one(answer(401, r#"["refused"]"#)), stopped(""), 12, 1),
        ("401 empty", one(answer(401, "")), stopped(""), 12, 1),
        ("403 html", one(page(403)), stopped(""), 12, 1),
        ("407 html", one(page(407)), stopped(""), 12, 1),
        ("301", one(away(301)), stopped(""), 12, 1),
        ("302 to itself", one(page(302).with("location", "/verify/id_name")), stopped(""), 12, 1),
        ("303", one(away(303)), stopped(""), 12, 1),
        ("304", one(answer(304, "")), stopped(""), 12, 1),
        ("307 to itself", one(page(307).with("location", "/verify/id_name")), stopped(""), 12, 1),
        ("308", one(away(308)), stopped(""), 12, 1),
        (
            "302 with a verdict",
            one(moved),
            // The result code that came is shown unchanged, and has no effect.
            ["not_sent", "01", "OK", "no", "0", "1"],
            12,
            1,
        ),
        (
            "502, then UNAUTHORIZED",
            vec![page(502), fails(401, "UNAUTHORIZED", "no")],
            ["not_sent", "", "UNAUTHORIZED", "unknown", "1", "2"],
            12,
            2,
        ),
    ])
    .await;
}

#[tokio::test]
async fn answers_that_never_came_are_never_asked_again() {
    let doubt = ["in_doubt", "", "", "unknown", "1", "1"];
    let one = |answer| vec![answer, code("01")];
    check(vec![
        ("504 html", one(page(504)), doubt, 3, 1),
        ("504 empty", one(answer(504, "")), doubt, 3, 1),
        ("408 html", one(page(408)), doubt, 3, 1),
        ("200 html", one(page(200)), doubt, 3, 1),
        ("200 empty", one(answer(200, "")), doubt, 3, 1),
        ("204", one(answer(204, "")), doubt, 3, 1),
        ("200 other JSON", one(answer(200, r#"{"code":0}"#)), doubt, 3, 1),
        ("200 cut JSON", one(answer(200, r#"{"status":"OK","result":{"#)), doubt, 3, 1),
        ("200 status no text", one(answer(200, r#"{"status":200}"#)), doubt, 3, 1),
        ("200 a list", one(answer(200, r#"["OK",null,null,{"result":"01"}]"#)), doubt, 3, 1),
        ("200 too large", one(answer(200, " ".repeat(300_000))), doubt, 3, 1),
    ])
    .await;
}

#[test]
fn the_vendors_texts_come_through_byte_for_byte() {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let body = r#"{"status":"OK","result":{"order_no":"SFBw10920287383515*****",
        "handle_time":"2025-07-01 10:12:20","result":"04","remark":"UNKNOW, \"é\" ꦧ"},
        "request_id":"TID07ecf99645e8452087c38252d1fccdca"}"#;
    let vendor = runtime.block_on(Vendor::answering(&[answer(200, body)]));
    let place = Workspace::new();
    place.write("in.csv", people_csv([1001]));
    place.run("in.csv", &vendor.url(), &[]).exits(0);
    let row = &place.rows("in.verified.csv")[0];
    for (column, text) in [
        ("ck_order_no", "SFBw10920287383515*****"),
        ("ck_handle_time", "2025-07-01 10:12:20"),
        ("ck_remark", "UNKNOW, \"é\" ꦧ"),
        ("ck_request_id", "TID07ecf99645e8452087c38252d1fccdca"),
        ("ck_reason", ""),
        ("ck_source", "call"),
    ] {
        assert_eq!(row[column], text, "{column}");
    }
}

#[test]
fn faults_on_the_wire_as_the_program_takes_them() {
    let doubt = ["in_doubt", "", "", "unknown", "1", "1"];
    let late: fn() -> Act = || Act::Wait(Duration::from_millis(1500));
    let closed = || Act::SendAndClose(Vec::new());
    let cut = || Act::SendAndClose(b"HTTP/1.1 200 OK\r\ncontent-length: 9\r\n\r\n{".to_vec());
    let garbage = || Act::SendAndClose(b"what?\r\n\r\n".to_vec());
    let acts = [late, closed, cut, garbage];
    for (what, act) in ["late", "closed", "cut", "garbage"].into_iter().zip(acts) {
        let server =
            RawServer::answering(move |n| if n == 0 { act() } else { Act::Send(a_match()) });
        let place = Workspace::new();
        place.write("in.csv", people_csv([1001]));
        place.run("in.csv", &server.url(), &["--timeout", "500ms"]).exits(3);
        let row = &place.rows("in.verified.csv")[0];
        assert_eq!(SHOWN.map(|column| row[column].as_str()), doubt, "{what}");
        assert_eq!(server.seen().requests.len(), 1, "{what}");
        // The row stays in doubt, also in the next run. It is sent again only on request.
        place.run("in.csv", &server.url(), &[]).exits(3);
        assert_eq!(server.seen().requests.len(), 1, "{what}");
        place.run("in.csv", &server.url(), &["--in-doubt", "resend"]).exits(0);
        assert_eq!(server.seen().requests.len(), 2, "{what}");
    }
}

#[test]
fn a_vendor_that_cannot_be_reached_costs_nothing() {
    let (_held, address) = closed_port();
    let place = Workspace::new();
    place.write("in.csv", people_csv([1001]));
    place.run("in.csv", &format!("http://{address}"), &["--max-attempts", "3"]).exits(3);
    let row = &place.rows("in.verified.csv")[0];
    let shows = ["unavailable", "", "", "no", "0", "0"];
    assert_eq!(SHOWN.map(|column| row[column].as_str()), shows);
}
