//! Row S18: only the profile of the payment's scenario is sent.

use crate::support::{TestApp, on_both};

on_both! {
    async fn s18_each_scenario_sends_its_own_profile_and_no_other(app: TestApp) {
        let cast = app.cast().await;
        let record = &cast.institution.record;
        let clothes = app.scenario(record, "Clothes", "5600-5699", "amount <= 90000\n").await;
        app.scenario(record, "Anything", "", "amount <= 80000\n").await;
        app.profile(record, "Canteen Ltd", &[cast.meals.id]).await;
        app.profile(record, "Wardrobe Ltd", &[clothes.id]).await;
        app.profile(record, "Holding Ltd", &[]).await;
        let titles = ["Canteen Ltd", "Wardrobe Ltd", "Holding Ltd"];

        let tailor = app.merchant("Tailor", "5651").await;
        let jeweller = app.merchant("Jeweller", "5944").await;
        for (merchant, expected) in [(&cast.merchant, "Canteen Ltd"), (&tailor, "Wardrobe Ltd"), (&jeweller, "Holding Ltd")] {
            let digits = app.member_digits(&cast.member).await;
            let paid = app.charge(&merchant.cashier_key, &digits, 1_000, "A-1").await;
            let fetched = app.fetch_profile(&merchant.cashier_key, &crate::steps::payment_id(&paid.ok(201))).await;
            let scanned = app.second_scan(&merchant.invoice_key, &digits).await;
            for answer in [&paid, &fetched, &scanned] {
                let text = answer.text();
                for title in titles {
                    assert_eq!(text.contains(title), title == expected, "{title} in {text}");
                }
            }
        }
    }

    async fn s18_a_profile_of_another_scenario_is_not_sent_for_want_of_a_fitting_one(app: TestApp) {
        let cast = app.cast().await;
        let record = &cast.institution.record;
        let clothes = app.scenario(record, "Clothes", "5600-5699", "").await;
        app.profile(record, "Wardrobe Ltd", &[clothes.id]).await;
        let digits = app.member_digits(&cast.member).await;
        let paid = app.charge(&cast.merchant.cashier_key, &digits, 1_000, "A-1").await;
        assert_eq!(paid.ok(201)["profile"]["status"], "none");
        assert!(!paid.text().contains("Wardrobe"));
    }

    async fn s18_the_profiles_of_the_person_and_the_institution_do_not_mix(app: TestApp) {
        let cast = app.cast().await;
        app.profile(&cast.institution.record, "Example Technology Ltd", &[]).await;
        app.services.processing.enable(&cast.member.person, None, None).await.unwrap();
        let own = app.services.codes.record_of_person(cast.member.person.id).await.unwrap().unwrap();
        app.profile(&own, "Wang Fang at home", &[]).await;
        app.top_up(cast.member.person.account, 10_000).await;
        let till = &cast.merchant.cashier_key;

        let by_institution = app.charge(till, &app.member_digits(&cast.member).await, 1_000, "A-1").await.ok(201);
        assert_eq!(by_institution["profile"]["profile"]["title"], "Example Technology Ltd");
        let digits = app.digits_on(&cast.member.token, None, "phone").await;
        let by_person = app.charge(till, &digits, 1_000, "A-2").await.ok(201);
        assert_eq!(by_person["profile"]["profile"]["title"], "Wang Fang at home");
    }
}
