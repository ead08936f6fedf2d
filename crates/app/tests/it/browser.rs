//! Two browsers at one server, as two people use it: a person shows a code, a cashier takes it, both pages show the result.

mod driver;
mod ride;

use serde_json::Value;

use crate::support::program::{Program, Running};
use driver::{Browser, Driver, ENTER, ESCAPE, TAB};

/// A demo server and the program that drives browsers.
struct Stage {
    server: Running,
    driver: Driver,
    /// Outlives the server.
    _program: Program,
}

impl Stage {
    fn set() -> Self {
        let program = Program::new();
        Self {
            server: program.start(&["demo", "--port", "0"]),
            driver: Driver::start(),
            _program: program,
        }
    }

    fn at(&self, path: &str) -> String {
        format!("http://{}{path}", self.server.address)
    }

    fn one_of<'s>(&'s self, list: &str, field: &str, value: &str, role: Option<&str>) -> &'s Value {
        let all = self.server.said[list].as_array().unwrap();
        let fits = |one: &&Value| one[field] == value && role.is_none_or(|role| one["role"] == role);
        all.iter()
            .find(fits)
            .unwrap_or_else(|| panic!("no {value} among {list}: {all:#?}"))
    }

    /// A browser in which a person has signed in and looks at their code.
    async fn person(&self, login: &str) -> Browser {
        let password = self.one_of("people", "login", login, None)["password"]
            .as_str()
            .unwrap();
        let mut browser = self.driver.browser().await;
        browser.open(&self.at("/sign-in")).await;
        browser.press(&format!("{login}{TAB}{password}{ENTER}")).await;
        browser.wait_for("#panel[data-left-ms]", "").await;
        assert_eq!(browser.path().await, "/code");
        browser
    }

    /// A browser in which a merchant's terminal of that role has signed in with its key.
    async fn terminal(&self, merchant: &str, role: &str) -> Browser {
        let key = self.one_of("terminals", "merchant", merchant, Some(role))["key"]
            .as_str()
            .unwrap();
        let mut browser = self.driver.browser().await;
        browser.open(&self.at("/till/sign-in")).await;
        browser.press(&format!("{key}{ENTER}")).await;
        browser.wait_for("form[data-till]", "").await;
        browser
    }
}

/// The digits on a person's page, as a hand scanner reads them.
async fn shown_digits(person: &mut Browser) -> String {
    person.click("details.digits summary").await;
    let shown = person.wait_for("details.digits .mono", "").await;
    let digits: String = shown.chars().filter(char::is_ascii_digit).collect();
    assert_eq!(digits.len(), 18, "{shown}");
    digits
}

#[tokio::test]
async fn a_person_shows_a_code_and_a_cashier_takes_it_by_keyboard_alone() {
    let stage = Stage::set();
    let mut person = stage.person("sofia.rossi").await;
    let mut till = stage.terminal("Café Morgenrot", "cashier").await;
    assert_eq!(till.path().await, "/till");

    // The amount is typed, then the scanner types the digits and Enter: nothing is clicked.
    let digits = shown_digits(&mut person).await;
    till.press(&format!("12.50{ENTER}")).await;
    till.press(&format!("{digits}{ENTER}")).await;
    till.wait_for("#verdict.paid .amount", "12.50").await;
    person.wait_for("#live .verdict.paid .amount", "12.50").await;
    person.wait_for("#live .verdict.paid", "Café Morgenrot").await;

    // Both go on by themselves: an empty form under the cursor, and another code.
    till.press("7").await;
    let typed = till
        .run("return document.activeElement.name + '=' + document.activeElement.value")
        .await;
    assert_eq!(typed, "amount=7");
    till.press(ESCAPE).await;
    person.wait_for("#panel[data-left-ms]", "").await;
    assert_ne!(shown_digits(&mut person).await, digits);

    // The same code at a second sale is refused, and says why; amount and cursor wait for another code.
    till.press(&format!("3{ENTER}")).await;
    till.press(&format!("{digits}{ENTER}")).await;
    till.wait_for("#verdict.refused .word", "used already").await;
    let state = till
        .run("return [document.querySelector('[data-amount]').value, document.activeElement.name]")
        .await;
    assert_eq!(state, serde_json::json!(["3", "code"]));
    let next = shown_digits_again(&mut person).await;
    till.press(&format!("{next}{ENTER}")).await;
    till.wait_for("#verdict.paid .amount", "3.00").await;

    person.check_console().await;
    till.check_console().await;
}

/// The digits where their box is open already.
async fn shown_digits_again(person: &mut Browser) -> String {
    let shown = person.wait_for("details.digits[open] .mono", "").await;
    shown.chars().filter(char::is_ascii_digit).collect()
}

#[tokio::test]
async fn a_scan_before_the_amount_is_kept_until_the_amount_is_there() {
    let stage = Stage::set();
    let mut person = stage.person("sofia.rossi").await;
    let mut till = stage.terminal("Café Morgenrot", "cashier").await;
    let digits = shown_digits(&mut person).await;
    // The cursor stands in the amount; the scanner types there.
    till.press(&format!("{digits}{ENTER}")).await;
    till.wait_for("form[data-till]", "").await;
    till.press(&format!("4.20{ENTER}")).await;
    till.wait_for("#verdict.paid .amount", "4.20").await;
    person.wait_for("#live .verdict.paid .amount", "4.20").await;
    person.check_console().await;
    till.check_console().await;
}

#[tokio::test]
async fn the_person_is_asked_for_a_profile_and_till_and_invoice_terminal_get_it() {
    let stage = Stage::set();
    let mut person = stage.person("li.lei").await;
    let mut till = stage.terminal("小巷食堂", "cashier").await;
    let digits = shown_digits(&mut person).await;
    till.press(&format!("28{ENTER}")).await;
    till.press(&format!("{digits}{ENTER}")).await;
    till.wait_for("#verdict.paid .amount", "28.00").await;
    till.wait_for("#verdict [hx-get*='/profile']", "").await;

    // The question comes to the person's page; the second answer, not the default, reaches the till.
    let second = "[data-question] .pick button:nth-of-type(2)";
    let answer = person.wait_for(second, "").await;
    let title = answer.lines().next().unwrap().to_owned();
    person.click(second).await;
    person.wait_for("[data-settled]", &title).await;
    till.wait_for("#verdict .inset", &title).await;
    assert_eq!(
        till.count("#verdict [hx-get*='/profile']").await,
        0,
        "it waits no longer"
    );

    let mut invoices = stage.terminal("小巷食堂", "invoice").await;
    invoices.press(&format!("{digits}{ENTER}")).await;
    invoices.wait_for("#verdict.paid", &title).await;
    invoices.press(&format!("{digits}{ENTER}")).await;
    invoices.wait_for("#verdict.waiting", "28.00").await;

    for mut browser in [person, till, invoices] {
        browser.check_console().await;
    }
}

#[tokio::test]
async fn a_script_inside_a_page_is_stopped_and_what_is_wrong_is_found() {
    let stage = Stage::set();
    let mut browser = stage.driver.browser().await;
    browser.open(&stage.at("/sign-in")).await;
    browser.check_console().await;
    browser.run("document.querySelector('main').append(new Image())").await;
    let barriers = browser.barriers().await;
    assert!(
        barriers.iter().any(|text| text.starts_with("image-alt")),
        "{barriers:?}"
    );
    let inject = "const script = document.createElement('script');
                  script.textContent = 'document.title = \"taken over\"';
                  document.body.append(script);
                  return document.title;";
    assert_ne!(browser.run(inject).await, "taken over");
    let complaints = browser.complaints().await;
    assert!(
        complaints.iter().any(|text| text.contains("Content Security Policy")),
        "{complaints:?}"
    );
}

/// A phone, and a desktop.
const WIDTHS: [u32; 2] = [390, 1280];

/// The page as it stands has no barrier in light and dark, and fits the screen of a phone.
async fn check_page(browser: &mut Browser, name: &str) {
    for scheme in ["light", "dark"] {
        browser.prefer(scheme).await;
        let barriers = browser.barriers().await;
        assert!(barriers.is_empty(), "{name}, {scheme}: {barriers:#?}");
    }
    for width in WIDTHS {
        browser.widen(width).await;
        let too_wide = browser
            .run("return document.documentElement.scrollWidth - innerWidth")
            .await;
        assert!(
            too_wide.as_i64().unwrap() <= 0,
            "{name} is {too_wide} too wide for {width}"
        );
    }
    browser.check_console().await;
}

async fn check_path(stage: &Stage, browser: &mut Browser, path: &str) {
    browser.open(&stage.at(path)).await;
    check_page(browser, path).await;
}

#[tokio::test]
async fn a_persons_pages_have_no_barriers_in_light_and_dark() {
    let stage = Stage::set();
    let mut nobody = stage.driver.browser().await;
    for path in ["/", "/sign-in", "/sign-up", "/till/sign-in"] {
        check_path(&stage, &mut nobody, path).await;
    }
    let mut person = stage.person("li.lei").await;
    for path in [
        "/",
        "/code",
        "/ride",
        "/profiles",
        "/profiles/new",
        "/payments",
        "/payments/invoices",
        "/privacy",
        "/account",
    ] {
        check_path(&stage, &mut person, path).await;
    }
    person.open(&stage.at("/payments")).await;
    person.click("main a[href^='/payments/pay_']").await;
    person.wait_for("main h1", "").await;
    check_page(&mut person, "a payment").await;
}

#[tokio::test]
async fn the_pages_of_back_office_and_administrator_have_no_barriers_in_light_and_dark() {
    let stage = Stage::set();
    let key = stage.one_of("programs", "name", "Nordbahn Tickets", None)["key"]
        .as_str()
        .unwrap();
    let mut office = stage.driver.browser().await;
    check_path(&stage, &mut office, "/office/sign-in").await;
    office.open(&stage.at("/office/sign-in")).await;
    office.press(&format!("{key}{ENTER}")).await;
    let document = "main a[href^='/office/invoices/inv_']";
    office.wait_for(document, "").await;
    for path in [
        "/office/invoices",
        "/office/invoices?state=failed&kind=invoice",
        "/office/tax",
    ] {
        check_path(&stage, &mut office, path).await;
    }
    office.open(&stage.at("/office/invoices")).await;
    office.click(document).await;
    office.wait_for("main dl.facts", "").await;
    check_page(&mut office, "a document in the back office").await;

    let mut boss = stage.person("ada.berg").await;
    boss.open(&stage.at("/institutions")).await;
    let list = boss.path().await;
    check_page(&mut boss, "an institution's invoices").await;
    check_path(&stage, &mut boss, &format!("{list}/totals?by=each")).await;
}

#[tokio::test]
async fn the_terminals_pages_have_no_barriers_in_light_and_dark() {
    let stage = Stage::set();
    let mut person = stage.person("li.lei").await;
    let mut till = stage.terminal("小巷食堂", "cashier").await;
    check_page(&mut till, "a till that is ready").await;
    let digits = shown_digits(&mut person).await;
    till.press(&format!("28{ENTER}")).await;
    till.press(&format!("{digits}{ENTER}")).await;
    till.wait_for("#verdict.paid .amount", "28.00").await;
    check_page(&mut till, "a till with a paid verdict").await;
    person.wait_for("[data-question] .pick button", "").await;
    check_page(&mut person, "a code page with a question").await;
    till.press(&format!("28{ENTER}")).await;
    till.press(&format!("{digits}{ENTER}")).await;
    till.wait_for("#verdict.refused", "").await;
    check_page(&mut till, "a till with a refused verdict").await;
    check_path(&stage, &mut till, "/till/sales").await;
    check_path(&stage, &mut till, "/till/last").await;

    let mut invoices = stage.terminal("小巷食堂", "invoice").await;
    check_page(&mut invoices, "an invoice terminal that is ready").await;
    let unpaid = shown_digits(&mut person).await;
    invoices.press(&format!("{unpaid}{ENTER}")).await;
    invoices.wait_for("#verdict.waiting form", "").await;
    check_page(&mut invoices, "an invoice terminal with an unpaid code").await;
}
