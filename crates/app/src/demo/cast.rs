//! Who is in the demo, as data. All names are invented; domains are those reserved for examples.

/// A company with its people and what they may spend.
#[derive(Debug)]
pub struct Company {
    pub name: &'static str,
    /// Name of a sub-institution; empty for none.
    pub branch: &'static str,
    pub currency: &'static str,
    pub time_zone: &'static str,
    pub language: &'static str,
    pub funds_minor: i64,
    pub departments: &'static [&'static str],
    pub scenarios: &'static [Spending],
    pub titles: &'static [Title],
    pub members: &'static [Member],
}

/// A scenario: merchant categories and a policy in minor units.
#[derive(Debug)]
pub struct Spending {
    pub name: &'static str,
    pub categories: &'static str,
    pub policy: &'static str,
}

/// A company's invoice profile. `scenario`: the only one it is for; empty for all.
#[derive(Debug)]
pub struct Title {
    pub title: &'static str,
    pub tax_number: &'static str,
    pub email: &'static str,
    pub scenario: &'static str,
}

#[derive(Debug)]
pub struct Member {
    pub name: &'static str,
    pub login: &'static str,
    pub employee_number: &'static str,
    pub department: &'static str,
    pub place: Place,
    pub wallet: Wallet,
    /// For the box; empty leaves them out of it.
    pub what: &'static str,
}

/// What somebody is in a company.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Place {
    Administrator,
    Employee,
    /// Employee of the branch.
    Branch,
}

/// What somebody has of their own.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Wallet {
    /// No code record of their own.
    None,
    /// A code record, some money, and this many invoice profiles.
    Own { profiles: usize },
}

/// A merchant with one store, a cashier's till and an invoice terminal.
#[derive(Debug)]
pub struct Shop {
    pub name: &'static str,
    pub category: &'static str,
    pub currency: &'static str,
    pub store: &'static str,
    pub city: &'static str,
    pub till: &'static str,
    pub invoices: &'static str,
    pub what: &'static str,
}

pub const COMPANIES: &[Company] = &[
    Company {
        name: "示例科技有限公司",
        branch: "示例科技上海分公司",
        currency: "CNY",
        time_zone: "Asia/Shanghai",
        language: "zh",
        funds_minor: 20_000_000,
        departments: &["研发部", "市场部", "财务部"],
        scenarios: &[
            Spending {
                name: "餐饮",
                categories: "5811-5814",
                policy: "amount <= 8000\namount_day <= 15000\nclock in 06:00-23:00\n",
            },
            Spending {
                name: "差旅",
                categories: "4111, 4112, 4121, 4511, 7011",
                policy: "amount <= 80000\namount_month <= 500000\n",
            },
            Spending {
                name: "办公用品",
                categories: "5111, 5943",
                policy: "amount <= 50000\ncount_day <= 5\nweekday in mon-fri\n",
            },
        ],
        titles: &[
            Title {
                title: "示例科技有限公司",
                tax_number: "91330106MA2CFLDG4R",
                email: "fapiao@example.cn",
                scenario: "",
            },
            Title {
                title: "示例科技有限公司差旅中心",
                tax_number: "91330106MA2CFLDG4R",
                email: "travel@example.cn",
                scenario: "差旅",
            },
        ],
        members: &[
            Member {
                name: "李雷",
                login: "li.lei",
                employee_number: "A1001",
                department: "研发部",
                place: Place::Employee,
                wallet: Wallet::Own { profiles: 2 },
                what: "员工：单位码与个人码，两个发票抬头 / employee with a code of his own and two titles",
            },
            Member {
                name: "韩梅梅",
                login: "han.meimei",
                employee_number: "A1002",
                department: "财务部",
                place: Place::Administrator,
                wallet: Wallet::Own { profiles: 1 },
                what: "单位管理员 / administrator of the institution",
            },
            Member {
                name: "王芳",
                login: "wang.fang",
                employee_number: "A1003",
                department: "市场部",
                place: Place::Employee,
                wallet: Wallet::Own { profiles: 3 },
                what: "",
            },
            Member {
                name: "张伟",
                login: "zhang.wei",
                employee_number: "A1004",
                department: "研发部",
                place: Place::Employee,
                wallet: Wallet::None,
                what: "",
            },
            Member {
                name: "陈静",
                login: "chen.jing",
                employee_number: "A1005",
                department: "市场部",
                place: Place::Employee,
                wallet: Wallet::Own { profiles: 0 },
                what: "",
            },
            Member {
                name: "刘洋",
                login: "liu.yang",
                employee_number: "S2001",
                department: "",
                place: Place::Branch,
                wallet: Wallet::None,
                what: "",
            },
            Member {
                name: "赵敏",
                login: "zhao.min",
                employee_number: "S2002",
                department: "",
                place: Place::Branch,
                wallet: Wallet::Own { profiles: 1 },
                what: "",
            },
        ],
    },
    Company {
        name: "Nordlicht Beispiel GmbH",
        branch: "",
        currency: "EUR",
        time_zone: "Europe/Berlin",
        language: "en",
        funds_minor: 2_500_000,
        departments: &["Engineering", "Sales"],
        scenarios: &[
            Spending {
                name: "Meals",
                categories: "5811-5814",
                policy: "amount <= 2500\namount_day <= 4000\nclock in 06:00-23:00\n",
            },
            Spending {
                name: "Travel",
                categories: "4111, 4112, 4121, 4511, 7011",
                policy: "amount <= 20000\namount_month <= 80000\n",
            },
            Spending {
                name: "Office supplies",
                categories: "5111, 5943",
                policy: "amount <= 10000\ncount_day <= 3\nweekday in mon-fri\n",
            },
        ],
        titles: &[Title {
            title: "Nordlicht Beispiel GmbH",
            tax_number: "DE999999999",
            email: "invoices@nordlicht.example",
            scenario: "",
        }],
        members: &[
            Member {
                name: "Ada Berg",
                login: "ada.berg",
                employee_number: "N-01",
                department: "Sales",
                place: Place::Administrator,
                wallet: Wallet::Own { profiles: 1 },
                what: "administrator of the institution",
            },
            Member {
                name: "Jonas Weber",
                login: "jonas.weber",
                employee_number: "N-02",
                department: "Engineering",
                place: Place::Employee,
                wallet: Wallet::Own { profiles: 1 },
                what: "employee with a code of his own",
            },
            Member {
                name: "Mia Keller",
                login: "mia.keller",
                employee_number: "N-03",
                department: "Engineering",
                place: Place::Employee,
                wallet: Wallet::None,
                what: "",
            },
            Member {
                name: "Lukas Brandt",
                login: "lukas.brandt",
                employee_number: "N-04",
                department: "Sales",
                place: Place::Employee,
                wallet: Wallet::None,
                what: "",
            },
            Member {
                name: "Sofia Rossi",
                login: "sofia.rossi",
                employee_number: "N-05",
                department: "Engineering",
                place: Place::Employee,
                wallet: Wallet::Own { profiles: 0 },
                what: "",
            },
        ],
    },
];

pub const SHOPS: &[Shop] = &[
    Shop {
        name: "小巷食堂",
        category: "5812",
        currency: "CNY",
        store: "文三路店",
        city: "杭州",
        till: "收银台 1",
        invoices: "开票台",
        what: "餐馆 / restaurant, CNY",
    },
    Shop {
        name: "西湖文具",
        category: "5943",
        currency: "CNY",
        store: "武林店",
        city: "杭州",
        till: "收银台 1",
        invoices: "开票台",
        what: "文具 / stationery, CNY",
    },
    Shop {
        name: "Café Morgenrot",
        category: "5814",
        currency: "EUR",
        store: "Kastanienallee",
        city: "Berlin",
        till: "Till 1",
        invoices: "Invoices",
        what: "café, EUR",
    },
    Shop {
        name: "Nordbahn Tickets",
        category: "4111",
        currency: "EUR",
        store: "Hauptbahnhof",
        city: "Hamburg",
        till: "Counter 1",
        invoices: "Invoices",
        what: "railway tickets, EUR",
    },
];

/// What everybody in the demo signs in with.
pub const PASSWORD: &str = "onescan-demo";
