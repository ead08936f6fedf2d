//! Row S11: after a good scan the terminal learns the scenario of this payment and its permitted amount, and no other.

use onescan_domain::ids::InstitutionId;
use onescan_domain::institutions::MemberRole;
use serde_json::Value;

use crate::support::builders::{InstitutionCast, MemberCast, MerchantCast};
use crate::support::http::Answer;
use crate::support::{TestApp, on_both};

/// Three kinds of spending with amounts that are easy to find in a text.
const SCENARIOS: [(&str, &str, i64); 3] = [
    ("Playing", "7993-7999", 111_100),
    ("Eating", "5811-5814", 222_200),
    ("Clothing", "5600-5699", 333_300),
];

struct Company {
    institution: InstitutionCast,
    member: MemberCast,
    merchants: Vec<MerchantCast>,
}

impl Company {
    /// One merchant for each scenario, in the same order.
    async fn new(app: &TestApp) -> Self {
        let institution = app.institution("Three Kinds").await;
        app.top_up(institution.institution.account, 10_000_000).await;
        for (name, categories, limit) in SCENARIOS {
            app.scenario(&institution.record, name, categories, &format!("amount <= {limit}\n"))
                .await;
        }
        let member = app.member(&institution, "wang.fang", MemberRole::Employee).await;
        let mut merchants = Vec::new();
        for (name, category) in [("Arcade", "7994"), ("Noodles", "5812"), ("Tailor", "5651")] {
            merchants.push(app.merchant(name, category).await);
        }
        Self {
            institution,
            member,
            merchants,
        }
    }

    fn id(&self) -> InstitutionId {
        self.institution.institution.id
    }
}

/// No scenario's name or amount stands in the answer, apart from `own`.
fn check_others_hidden(answer: &Answer, own: Option<usize>) {
    let text = answer.text();
    for (place, (name, categories, limit)) in SCENARIOS.iter().enumerate() {
        if own == Some(place) {
            continue;
        }
        for secret in [*name, *categories, &limit.to_string()] {
            assert!(!text.contains(secret), "{secret} is nobody's business here: {text}");
        }
    }
}

on_both! {
    async fn s11_the_scenario_of_this_payment_is_told_and_no_other(app: TestApp) {
        let company = Company::new(&app).await;
        for (place, (name, _, limit)) in SCENARIOS.iter().enumerate() {
            let till = &company.merchants[place].cashier_key;
            let digits = app.member_digits(&company.member).await;

            let scan = app.scan(till, &digits, None).await;
            let told = scan.ok(200);
            assert_eq!(told["scenario"]["name"], *name);
            assert_eq!(told["scenario"].as_object().unwrap().len(), 1, "no amount before one is stated: {told}");
            assert_eq!(told["verdict"], Value::Null, "{told}");
            assert!(!scan.text().contains(&limit.to_string()), "{told}");
            check_others_hidden(&scan, Some(place));

            let scan = app.scan(till, &digits, Some(500)).await;
            let told = scan.ok(200);
            assert_eq!(told["scenario"]["permitted_minor"], *limit);
            assert_eq!(told["verdict"], "permitted");
            check_others_hidden(&scan, Some(place));

            let scan = app.scan(till, &digits, Some(limit + 1)).await;
            assert_eq!(scan.ok(200)["verdict"], "barred");
            check_others_hidden(&scan, Some(place));

            let refused = app.charge(till, &digits, limit + 1, &format!("A-{place}")).await;
            refused.problem(422, "limit-exceeded");
            check_others_hidden(&refused, Some(place));
        }
    }

    async fn s11_a_merchant_outside_every_scenario_learns_none(app: TestApp) {
        let company = Company::new(&app).await;
        let jeweller = app.merchant("Jeweller", "5944").await;
        let digits = app.member_digits(&company.member).await;
        for amount in [None, Some(500)] {
            let scan = app.scan(&jeweller.cashier_key, &digits, amount).await;
            let told = scan.ok(200);
            assert_eq!(told["verdict"], "no_scenario");
            assert_eq!(told["scenario"], Value::Null, "{told}");
            check_others_hidden(&scan, None);
        }
        let refused = app.charge(&jeweller.cashier_key, &digits, 500, "A-1").await;
        refused.problem(422, "scenario-not-permitted");
        check_others_hidden(&refused, None);
    }

    async fn s11_nothing_of_the_person_or_the_institution_is_told(app: TestApp) {
        let company = Company::new(&app).await;
        let digits = app.member_digits(&company.member).await;
        let answers = [
            app.scan(&company.merchants[1].cashier_key, &digits, Some(500)).await,
            app.charge(&company.merchants[1].cashier_key, &digits, 500, "A-1").await,
        ];
        for answer in answers {
            let text = answer.text();
            let person = &company.member.person;
            let secrets = [
                company.id().to_string(),
                company.institution.record.id.as_str().to_owned(),
                company.institution.institution.account.to_string(),
                person.id.to_string(),
                person.name.clone(),
                company.member.member.id.to_string(),
            ];
            for secret in secrets {
                assert!(!text.contains(&secret), "{secret} in {text}");
            }
        }
    }

    async fn s11_the_permitted_amount_is_what_the_tightest_limit_leaves_now(app: TestApp) {
        let cast = app.cast().await;
        let till = &cast.merchant.cashier_key;
        // 50.00 a payment, 120.00 a day.
        for (paid, permitted) in [(0, 5_000), (4_000, 5_000), (4_000, 4_000), (3_500, 500)] {
            if paid > 0 {
                let digits = app.member_digits(&cast.member).await;
                app.charge(till, &digits, paid, &format!("A-{permitted}-{paid}")).await.expect(201);
            }
            let digits = app.member_digits(&cast.member).await;
            let told = app.scan(till, &digits, Some(1)).await.ok(200);
            assert_eq!(told["scenario"]["permitted_minor"], permitted, "after {paid}");
        }
        // What one member spent is not taken from another.
        let digits = app.member_digits(&cast.administrator).await;
        let told = app.scan(till, &digits, Some(1)).await.ok(200);
        assert_eq!(told["scenario"]["permitted_minor"], 5_000);
    }

    async fn s11_the_narrower_of_two_scenarios_is_the_one(app: TestApp) {
        let company = Company::new(&app).await;
        let record = &company.institution.record;
        app.scenario(record, "Everything else", "", "amount <= 90\n").await;
        app.scenario(record, "Restaurants only", "5812", "amount <= 70\n").await;
        let digits = app.member_digits(&company.member).await;
        let told = app.scan(&company.merchants[1].cashier_key, &digits, Some(70)).await.ok(200);
        assert_eq!(told["scenario"]["name"], "Restaurants only");
        assert_eq!(told["scenario"]["permitted_minor"], 70);
        let jeweller = app.merchant("Jeweller", "5944").await;
        let told = app.scan(&jeweller.cashier_key, &digits, Some(70)).await.ok(200);
        assert_eq!(told["scenario"]["name"], "Everything else");
    }
}
