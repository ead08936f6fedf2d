use onescan_domain::ids::{AccountId, DepartmentId, InstitutionId, MemberId, PersonId};
use onescan_domain::institutions::{Department, Institution, Member, MemberRole, MemberState};
use onescan_domain::money::Currency;
use onescan_platforms::error::PlatformError;
use onescan_platforms::institutions::InstitutionStore;
use onescan_platforms::people::PeopleStore;
use onescan_store::Store;

use crate::support::{cases, empty_account, id, taken};

const HOME: u16 = 300;

fn institution(in_bucket: u16, number: i64, parent: Option<InstitutionId>) -> Institution {
    Institution {
        id: id(InstitutionId::new, in_bucket, number),
        parent,
        name: format!("第{number}中学"),
        currency: Currency::CNY,
        time_zone: "Asia/Shanghai".to_owned(),
        account: id(AccountId::new, in_bucket, number),
        created_at: 1_790_000_000_000 + number,
    }
}

fn department(number: i64, institution: InstitutionId, name: &str) -> Department {
    Department {
        id: id(DepartmentId::new, HOME, number),
        institution,
        name: name.to_owned(),
    }
}

/// Of the institution 1; the person's bucket is another one.
fn member(number: i64) -> Member {
    Member {
        id: id(MemberId::new, HOME, number),
        institution: id(InstitutionId::new, HOME, 1),
        person: id(PersonId::new, 7, number),
        name: format!("Member {number}"),
        employee_number: None,
        department: None,
        role: MemberRole::Employee,
        state: MemberState::Active,
        account: None,
        created_at: 1_790_000_000_000 + number,
    }
}

async fn with_home(store: &Store) -> &dyn InstitutionStore {
    let institutions: &dyn InstitutionStore = store;
    institutions.insert(&institution(HOME, 1, None)).await.unwrap();
    institutions
}

#[tokio::test]
async fn a_tree_is_found_and_listed() {
    for case in cases().await {
        let institutions = with_home(&case.store).await;
        let root = institution(HOME, 1, None);
        let children = [institution(HOME, 2, Some(root.id)), institution(HOME, 3, Some(root.id))];
        let grandchild = institution(HOME, 4, Some(children[0].id));
        let elsewhere = institution(2, 5, None);
        for one in children.iter().rev().chain([&grandchild, &elsewhere]) {
            institutions.insert(one).await.unwrap();
        }
        assert_eq!(institutions.find(root.id).await.unwrap().as_ref(), Some(&root));
        assert_eq!(
            institutions.find(grandchild.id).await.unwrap().as_ref(),
            Some(&grandchild)
        );
        assert_eq!(institutions.find(id(InstitutionId::new, 2, 1)).await.unwrap(), None);
        assert_eq!(institutions.list_children(root.id).await.unwrap(), children);
        assert_eq!(institutions.list_children(elsewhere.id).await.unwrap(), []);

        let [second, third] = children;
        let pages = [
            institutions.list(None, 3).await,
            institutions.list(Some(third.id), 3).await,
        ];
        let listed: Vec<_> = pages.into_iter().flat_map(Result::unwrap).collect();
        assert_eq!(listed, [root, second, third, grandchild, elsewhere]);
    }
}

#[tokio::test]
async fn an_institution_opens_an_account_of_its_level() {
    for case in cases().await {
        let institutions = with_home(&case.store).await;
        let root = institution(HOME, 1, None);
        let branch = institution(HOME, 2, Some(root.id));
        institutions.insert(&branch).await.unwrap();
        let of_root = empty_account(&case, root.account).await.unwrap();
        assert_eq!(of_root, ["institution", &root.id.stored(), "第1中学", "CNY"]);
        let of_branch = empty_account(&case, branch.account).await.unwrap();
        assert_eq!(of_branch, ["sub_institution", &branch.id.stored(), "第2中学", "CNY"]);
    }
}

#[tokio::test]
async fn a_parent_in_another_bucket_is_refused() {
    for case in cases().await {
        let institutions = with_home(&case.store).await;
        let stray = institution(2, 2, Some(id(InstitutionId::new, HOME, 1)));
        let refused = institutions.insert(&stray).await;
        assert!(matches!(refused, Err(PlatformError::Internal(_))), "{refused:?}");
        assert_eq!(institutions.find(stray.id).await.unwrap(), None);
        assert_eq!(empty_account(&case, stray.account).await, None);
    }
}

#[tokio::test]
async fn departments_have_names_of_their_own() {
    for case in cases().await {
        let institutions = with_home(&case.store).await;
        let (root, branch) = (institution(HOME, 1, None), institution(HOME, 2, None));
        institutions.insert(&branch).await.unwrap();
        let sales = department(1, root.id, "销售部");
        let same_name = department(2, root.id, "销售部");
        let of_branch = department(3, branch.id, "销售部");
        institutions.insert_department(&sales).await.unwrap();
        assert_eq!(
            taken(institutions.insert_department(&same_name).await),
            "departments_name"
        );
        institutions.insert_department(&of_branch).await.unwrap();
        assert_eq!(
            institutions.list_departments(root.id).await.unwrap(),
            std::slice::from_ref(&sales)
        );
        assert_eq!(institutions.find_department(sales.id).await.unwrap(), Some(sales));
        assert_eq!(institutions.find_department(same_name.id).await.unwrap(), None);
    }
}

#[tokio::test]
async fn a_member_is_found_by_id_and_by_person() {
    for case in cases().await {
        let institutions = with_home(&case.store).await;
        let sales = department(1, id(InstitutionId::new, HOME, 1), "Sales");
        institutions.insert_department(&sales).await.unwrap();
        let full = Member {
            employee_number: Some("A-1".to_owned()),
            department: Some(sales.id),
            role: MemberRole::Administrator,
            ..member(1)
        };
        let plain = member(2);
        institutions.insert_member(&full).await.unwrap();
        institutions.insert_member(&plain).await.unwrap();
        for one in [&full, &plain] {
            assert_eq!(institutions.find_member(one.id).await.unwrap().as_ref(), Some(one));
            let of_person = institutions.find_member_of_person(one.institution, one.person).await;
            assert_eq!(of_person.unwrap().as_ref(), Some(one));
        }
        assert_eq!(institutions.find_member(id(MemberId::new, 7, 1)).await.unwrap(), None);
        let elsewhere = id(InstitutionId::new, HOME, 2);
        assert_eq!(
            institutions
                .find_member_of_person(elsewhere, full.person)
                .await
                .unwrap(),
            None
        );
    }
}

#[tokio::test]
async fn a_refused_member_leaves_no_membership() {
    for case in cases().await {
        let institutions = with_home(&case.store).await;
        let first = Member {
            employee_number: Some("A-1".to_owned()),
            ..member(1)
        };
        institutions.insert_member(&first).await.unwrap();

        let same_person = Member {
            person: first.person,
            ..member(2)
        };
        assert_eq!(taken(institutions.insert_member(&same_person).await), "members_person");
        let same_number = Member {
            employee_number: first.employee_number.clone(),
            ..member(3)
        };
        assert_eq!(
            taken(institutions.insert_member(&same_number).await),
            "members_employee_number"
        );
        assert_eq!(case.store.list_memberships(same_number.person).await.unwrap(), []);
        let same_both = Member {
            person: first.person,
            ..same_number.clone()
        };
        assert_eq!(taken(institutions.insert_member(&same_both).await), "members_person");
        assert_eq!(case.store.list_memberships(first.person).await.unwrap().len(), 1);

        // Refused once, the same member is taken with another number.
        institutions.insert_member(&member(3)).await.unwrap();
    }
}

#[tokio::test]
async fn a_changed_member_is_counted_and_found_by_what_it_is_now() {
    for case in cases().await {
        let institutions = with_home(&case.store).await;
        let home = id(InstitutionId::new, HOME, 1);
        for number in 1..=3 {
            institutions.insert_member(&member(number)).await.unwrap();
        }
        let changed = Member {
            name: "Ren Amed".to_owned(),
            employee_number: Some("B-2".to_owned()),
            role: MemberRole::Administrator,
            state: MemberState::Left,
            ..member(2)
        };
        institutions.update_member(&changed).await.unwrap();
        institutions.update_member(&changed).await.unwrap();
        assert_eq!(
            institutions.find_member(changed.id).await.unwrap().as_ref(),
            Some(&changed)
        );
        assert_eq!(institutions.count_members(home, MemberState::Active).await.unwrap(), 2);
        assert_eq!(institutions.count_members(home, MemberState::Left).await.unwrap(), 1);
        let nowhere = id(InstitutionId::new, 2, 1);
        assert_eq!(
            institutions.count_members(nowhere, MemberState::Active).await.unwrap(),
            0
        );

        let found = |search| institutions.list_members(home, Some(search), None, 10);
        assert_eq!(found("ren a").await.unwrap(), std::slice::from_ref(&changed));
        assert_eq!(found("b-2").await.unwrap(), [changed]);
        assert_eq!(found("Member 2").await.unwrap(), []);

        let clash = Member {
            employee_number: Some("B-2".to_owned()),
            ..member(3)
        };
        assert_eq!(
            taken(institutions.update_member(&clash).await),
            "members_employee_number"
        );
    }
}

/// Names, employee numbers and departments, searched for on both engines alike.
#[tokio::test]
async fn members_are_searched_in_any_case_of_letters() {
    for case in cases().await {
        let institutions = with_home(&case.store).await;
        let home = id(InstitutionId::new, HOME, 1);
        let sales = department(1, home, "ÖFFENTLICHKEIT 宣传部");
        institutions.insert_department(&sales).await.unwrap();
        let people = [
            ("李雷", Some("E100%"), None),
            ("韩梅梅", Some("e_200"), Some(sales.id)),
            ("Łukasz ÄNDERUNG", Some("E!300"), None),
            ("O'Brien", None, None),
        ];
        for (number, (name, employee_number, department)) in (1..).zip(people) {
            let one = Member {
                name: name.to_owned(),
                employee_number: employee_number.map(str::to_owned),
                department,
                ..member(number)
            };
            institutions.insert_member(&one).await.unwrap();
        }
        let of_another = Member {
            institution: id(InstitutionId::new, HOME, 2),
            name: "李雷".to_owned(),
            ..member(9)
        };
        institutions.insert(&institution(HOME, 2, None)).await.unwrap();
        institutions.insert_member(&of_another).await.unwrap();

        for (search, expected) in [
            ("李", vec![1]),
            ("梅梅", vec![2]),
            ("雷梅", vec![]),
            ("e", vec![1, 2, 3, 4]),
            ("E1", vec![1]),
            ("%", vec![1]),
            ("_", vec![2]),
            ("E_2", vec![2]),
            ("!", vec![3]),
            ("\\", vec![]),
            ("'", vec![4]),
            ("o'b", vec![4]),
            ("łukasz ä", vec![3]),
            ("Änderung", vec![3]),
            ("öffent", vec![2]),
            ("宣传", vec![2]),
            ("雷E", vec![]),
            ("", vec![1, 2, 3, 4]),
        ] {
            let found = institutions.list_members(home, Some(search), None, 10).await.unwrap();
            let numbers: Vec<_> = found.iter().map(|member| member.id.raw().at_ms() - 1_000).collect();
            assert_eq!(numbers, expected, "{search} on {:?}", case.database.db.engine());
        }
    }
}

#[tokio::test]
async fn members_are_listed_page_by_page() {
    for case in cases().await {
        let institutions = with_home(&case.store).await;
        let home = id(InstitutionId::new, HOME, 1);
        let all: Vec<_> = (1..=5).map(member).collect();
        for one in all.iter().rev() {
            institutions.insert_member(one).await.unwrap();
        }
        for search in [None, Some("member")] {
            let first = institutions.list_members(home, search, None, 3).await.unwrap();
            assert_eq!(first, all[..3]);
            let second = institutions.list_members(home, search, Some(first[2].id), 3).await;
            assert_eq!(second.unwrap(), all[3..]);
        }
    }
}

#[tokio::test]
async fn a_member_keeps_the_first_dedicated_account() {
    for case in cases().await {
        let institutions = with_home(&case.store).await;
        institutions.insert_member(&member(1)).await.unwrap();
        let first = id(AccountId::new, HOME, 50);
        for account in [first, first, id(AccountId::new, HOME, 51)] {
            institutions.set_member_account(member(1).id, account).await.unwrap();
        }
        let kept = Member {
            account: Some(first),
            ..member(1)
        };
        assert_eq!(institutions.find_member(kept.id).await.unwrap(), Some(kept));
    }
}
