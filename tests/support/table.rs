//! Tables: CSV files that are made, and records and cells of outputs.

use super::many_people;

/// Returns a CSV in which `people` people take turns over `rows` rows. A run of many rows then
/// makes few calls.
pub fn repeated(people: u32, rows: usize) -> String {
    let text = many_people(people);
    let (header, people) = text.split_once('\n').unwrap();
    let people: Vec<&str> = people.lines().collect();
    let rows: String = (0..rows).map(|n| format!("{}\n", people[n % people.len()])).collect();
    format!("{header}\n{rows}")
}

/// Returns all records of a CSV with the header, each with its own number of cells.
pub fn records(text: &[u8], delimiter: u8) -> Vec<Vec<Vec<u8>>> {
    let mut reader = csv::ReaderBuilder::new()
        .has_headers(false)
        .flexible(true)
        .delimiter(delimiter)
        .from_reader(text);
    let cells = |record: csv::ByteRecord| record.iter().map(<[u8]>::to_vec).collect();
    reader.byte_records().map(|record| cells(record.unwrap())).collect()
}

/// Returns all records of a CSV whose cells are texts.
pub fn texts(text: &str, delimiter: u8) -> Vec<Vec<String>> {
    let cell = |cell| String::from_utf8(cell).unwrap();
    let records = records(text.as_bytes(), delimiter).into_iter();
    records.map(|record| record.into_iter().map(cell).collect()).collect()
}

/// Returns the number of cells with this content.
pub fn count(cells: &[String], content: &str) -> usize {
    cells.iter().filter(|cell| *cell == content).count()
}
