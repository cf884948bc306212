// Checks pages of ceknik in a real Chromium: no request, no violation of axe-core in light and dark,
// charts in colour where styles are blocked, and an A4 PDF with all figures and no split row.
//
//     node check.mjs PAGE.html ...
//
// CHROMIUM names the browser (default: chromium). Needs pdftotext. Exits with 1 if a check fails.

import { execFileSync } from "node:child_process";
import { readFileSync } from "node:fs";
import { createServer } from "node:http";
import { createRequire } from "node:module";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import { pathToFileURL } from "node:url";

import puppeteer from "puppeteer-core";

const axe = readFileSync(createRequire(import.meta.url).resolve("axe-core/axe.min.js"), "utf8");
// What Jenkins sends with the files of a build.
const POLICY = "sandbox; default-src 'none'; style-src 'self'";
const WIDTHS = [400, 800, 1400];
const failures = [];

function check(what, isRight, told) {
    if (!isRight) {
        failures.push(`${what}: ${told}`);
    }
}

/** Opens a page, and notes each request beside the page itself. */
async function open(browser, url, scheme, width) {
    const tab = await browser.newPage();
    const requests = [];
    tab.on("request", (request) => {
        if (request.url() !== url) {
            requests.push(request.url());
        }
    });
    await tab.emulateMediaFeatures([{ name: "prefers-color-scheme", value: scheme }]);
    await tab.setViewport({ width, height: 1000 });
    await tab.goto(url, { waitUntil: "load" });
    return { tab, requests };
}

async function checkPage(browser, name, url, scheme, width) {
    const what = `${name}, ${scheme}, ${width} px`;
    const { tab, requests } = await open(browser, url, scheme, width);
    check(what, requests.length === 0, `requests: ${requests.join(", ")}`);
    const isStyled = await tab.evaluate(() => getComputedStyle(document.body).marginTop === "0px");
    check(what, isStyled, "the style sheet is not applied");
    const overflow = await tab.evaluate(() => document.documentElement.scrollWidth - innerWidth);
    check(what, overflow <= 0, `the page is ${overflow} px too wide`);
    await tab.evaluate(axe);
    const { violations } = await tab.evaluate(() => globalThis.axe.run());
    for (const { id, help, nodes } of violations) {
        check(what, false, `${id}: ${help}: ${nodes.slice(0, 3).map((node) => node.html.slice(0, 160)).join(" | ")}`);
    }
    await tab.close();
}

/** Counts the pixels of a picture that have one of these colours. */
async function pixelsOf(blank, picture, colours) {
    return blank.evaluate(
        async (source, wanted) => {
            const image = new Image();
            image.src = `data:image/png;base64,${source}`;
            await image.decode();
            const canvas = Object.assign(document.createElement("canvas"), { width: image.width, height: image.height });
            const context = canvas.getContext("2d");
            context.drawImage(image, 0, 0);
            const { data } = context.getImageData(0, 0, image.width, image.height);
            let found = 0;
            for (let at = 0; at < data.length; at += 4) {
                const hex = [data[at], data[at + 1], data[at + 2]].map((part) => part.toString(16).padStart(2, "0"));
                found += wanted.includes(`#${hex.join("")}`) ? 1 : 0;
            }
            return found;
        },
        Buffer.from(picture).toString("base64"),
        colours,
    );
}

/** Returns the place and the colours of each chart. Runs in the page. */
function chartsOf() {
    return [...document.querySelectorAll("figure svg")].map((chart) => {
        const { x, y, width, height } = chart.getBoundingClientRect();
        const fills = [...chart.querySelectorAll(".mark")].map((mark) => mark.getAttribute("fill"));
        const colours = [...new Set(fills)].filter((colour) => colour.startsWith("#"));
        return { clip: { x: x + scrollX, y: y + scrollY, width, height, scale: 1 }, colours };
    });
}

/** Where styles are blocked, each chart still has its colours. */
async function checkColours(browser, name, page) {
    const server = createServer(({ url }, answer) => {
        // In a sandbox the page cannot be asked where its charts are: the other address tells.
        const policy = url === "/sandbox" ? POLICY : POLICY.replace("sandbox; ", "");
        answer.writeHead(200, { "content-type": "text/html; charset=utf-8", "content-security-policy": policy });
        answer.end(page);
    });
    await new Promise((listening) => server.listen(0, "127.0.0.1", listening));
    const address = `http://127.0.0.1:${server.address().port}/`;
    const asked = (await open(browser, address, "light", 1200)).tab;
    const charts = await asked.evaluate(chartsOf);
    const { tab } = await open(browser, `${address}sandbox`, "light", 1200);
    const session = await tab.createCDPSession();
    const coloured = charts.filter((chart) => chart.colours.length > 0);
    const pictures = [];
    for (const { clip } of coloured) {
        const shot = await session.send("Page.captureScreenshot", { clip, captureBeyondViewport: true });
        pictures.push(Buffer.from(shot.data, "base64"));
    }
    const blank = await browser.newPage();
    for (const [at, { colours }] of coloured.entries()) {
        const found = await pixelsOf(blank, pictures[at], colours);
        check(`${name}, styles blocked`, found > 0, `a chart has no pixel of ${colours.join(", ")}`);
    }
    console.log(`${name}: ${charts.length} charts in colour`);
    await Promise.all([asked.close(), tab.close(), blank.close()]);
    server.close();
}

const plainText = (text) => text.replace(/\s+/g, " ").trim();

/** The PDF has each row of the figures, on one page. */
async function checkPdf(browser, name, url) {
    const { tab } = await open(browser, url, "light", 1200);
    const rows = await tab.$$eval(".figures tr", (all) => all.map((row) => [...row.cells].map((cell) => cell.textContent).join(" ")));
    const path = join(tmpdir(), `ceknik-check-${process.pid}.pdf`);
    await tab.pdf({ path, preferCSSPageSize: true, printBackground: false });
    await tab.close();
    const pages = execFileSync("pdftotext", ["-layout", path, "-"], { encoding: "utf8", maxBuffer: 1 << 28 }).split("\f");
    const texts = pages.map(plainText);
    for (const row of rows.map(plainText)) {
        check(`${name}, PDF`, texts.some((text) => text.includes(row)), `no page has the row ${JSON.stringify(row)}`);
    }
    console.log(`${name}: ${pages.length - 1} A4 pages, ${rows.length} rows of figures`);
}

const browser = await puppeteer.launch({
    executablePath: process.env.CHROMIUM ?? "/usr/bin/chromium",
    args: ["--no-sandbox", "--disable-gpu"],
    protocolTimeout: 60_000,
});
for (const name of process.argv.slice(2)) {
    const url = pathToFileURL(resolve(name)).href;
    for (const scheme of ["light", "dark"]) {
        for (const width of WIDTHS) {
            await checkPage(browser, name, url, scheme, width);
        }
    }
    await checkColours(browser, name, readFileSync(name));
    await checkPdf(browser, name, url);
}
await browser.close();
for (const failure of failures) {
    console.error(failure);
}
console.log(failures.length === 0 ? "all checks passed" : `${failures.length} checks failed`);
process.exitCode = failures.length === 0 ? 0 : 1;
