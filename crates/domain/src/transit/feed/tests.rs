use super::super::FareQuestion;
use super::*;

const FEED: [(&str, &str); 8] = [
    (
        "agency.txt",
        "agency_id,agency_name,agency_timezone\nhb ,\"Harbour, Town\",Europe/Vienna\n",
    ),
    (
        "stops.txt",
        "stop_id,stop_name,stop_lat,stop_lon,zone_id,parent_station\r\nA,Old \"\"Town,48.2,16.37,1,\r\nB,Harbour,48.21,16.38,2,A\r\nC,Airport,,,3,\r\n",
    ),
    (
        "routes.txt",
        "route_id,agency_id,route_short_name,route_type\nM,hb,M1,1\nN,,,3\n",
    ),
    (
        "calendar.txt",
        "service_id,monday,tuesday,wednesday,thursday,friday,saturday,sunday,start_date,end_date\nwd,1,1,1,1,1,0,0,20260101,20261231\n",
    ),
    (
        "calendar_dates.txt",
        "service_id,date,exception_type\nwd,20261001,2\nwd,20261010,1\nextra,20261011,1\n",
    ),
    ("trips.txt", "route_id,service_id,trip_id\nM,wd,t1\n"),
    (
        "stop_times.txt",
        "trip_id,arrival_time,departure_time,stop_id,stop_sequence\nt1,23:50:00,23:50:30,A,1\nt1,25:10:00,,C,2\n",
    ),
    (
        "fare_attributes.txt",
        "fare_id,price,currency_type\nshort,1.50,EUR\nlong,2.40,EUR\nnight,3,EUR\n",
    ),
];
const RULES: &str = "fare_id,route_id,origin_id,destination_id,contains_id\nshort,M,1,2,\nlong,M,1,3,\nnight,N,,,\nshort,,,,2\nshort,,,,3\n";

fn read(change: impl Fn(&str, &str) -> String) -> Result<Feed, FeedFaults> {
    let files: BTreeMap<&str, String> = FEED
        .iter()
        .chain(&[("fare_rules.txt", RULES)])
        .map(|(name, text)| (*name, change(name, text)))
        .filter(|(_, text)| !text.is_empty())
        .collect();
    Feed::read(|name| files.get(name).map(String::as_str))
}

#[test]
fn a_feed_is_read_with_days_times_and_fares() {
    let feed = read(|_, text| text.to_owned()).unwrap();
    assert_eq!(feed.agencies[0].id, "hb");
    assert_eq!(feed.agencies[0].name, "Harbour, Town");
    assert_eq!(feed.stop("Harbour").unwrap().zone, "2");
    assert_eq!((feed.lines[0].name.as_str(), feed.lines[1].name.as_str()), ("M1", "N"));
    assert_eq!(feed.stop_times[1].arrival_s, Some(90_600));
    let runs = |service: &str, date: &str| feed.services[service].runs_on(Date::parse(date).unwrap().days());
    let days = [
        ("wd", "2026-10-02", true),
        ("wd", "2026-10-01", false),
        ("wd", "2026-10-10", true),
        ("wd", "2026-10-11", false),
    ];
    for (service, date, expected) in days
        .into_iter()
        .chain([("extra", "2026-10-11", true), ("extra", "2026-10-12", false)])
    {
        assert_eq!(runs(service, date), expected, "{service} {date}");
    }
    let price = |line, origin, destination, passed| {
        let question = FareQuestion {
            agency: "hb",
            line: Some(line),
            origin,
            destination,
            passed,
        };
        feed.fares.price(&question).map(|price| price.minor)
    };
    assert_eq!(price("M", "1", "2", &[]), Some(150));
    assert_eq!(price("M", "1", "3", &[]), Some(240));
    assert_eq!(price("M", "2", "1", &[]), None);
    assert_eq!(price("N", "3", "1", &[]), Some(300));
    assert_eq!(price("M", "2", "3", &["2", "3"]), Some(150));
    assert_eq!(price("M", "2", "3", &["2"]), None);
    let most = |line, zone| feed.fares.maximum(line, zone).map(|price| price.minor);
    assert_eq!(
        (most(Some("M"), Some("3")), most(Some("N"), None)),
        (Some(240), Some(300))
    );
}

#[test]
fn what_is_wrong_is_named_with_file_line_and_column() {
    for (file, from, to, expected) in [
        (
            "stops.txt",
            "B,Harbour",
            "A,Harbour",
            "stops.txt line 3: \"A\" is listed twice",
        ),
        (
            "stops.txt",
            "48.21",
            "98.21",
            "stops.txt line 3, stop_lat: \"98.21\" is not a place on earth in decimal degrees",
        ),
        (
            "stops.txt",
            "2,A",
            "2,X",
            "stops.txt line 3, parent_station: \"X\" is not in stops.txt",
        ),
        (
            "trips.txt",
            "M,wd",
            "X,wd",
            "trips.txt line 2, route_id: \"X\" is not in routes.txt",
        ),
        (
            "stop_times.txt",
            "25:10:00",
            "25:60:00",
            "stop_times.txt line 3, arrival_time: \"25:60:00\" is not a time such as 25:10:00",
        ),
        (
            "fare_attributes.txt",
            "2.40",
            "2.401",
            "fare_attributes.txt line 3, price: not a decimal number with at most 2 decimals",
        ),
        (
            "fare_attributes.txt",
            "2.40,EUR",
            "2.40,XXX",
            "fare_attributes.txt line 3, currency_type: \"XXX\" is not a currency such as EUR",
        ),
        (
            "fare_rules.txt",
            "long,M",
            "far,M",
            "fare_rules.txt line 3, fare_id: \"far\" is not in fare_attributes.txt",
        ),
        ("routes.txt", "route_id", "id", "routes.txt has no column route_id"),
        (
            "agency.txt",
            "Town\"",
            "Town",
            "agency.txt line 2: a quote is not closed",
        ),
    ] {
        let error = read(|name, text| {
            if name == file {
                text.replacen(from, to, 1)
            } else {
                text.to_owned()
            }
        })
        .unwrap_err();
        assert_eq!(error.to_string(), expected);
    }
    let missing = read(|name, text| {
        if name == "trips.txt" {
            String::new()
        } else {
            text.to_owned()
        }
    });
    assert_eq!(missing.unwrap_err().all, [FeedError::MissingFile { file: "trips.txt" }]);
}

#[test]
fn every_fault_is_told_and_none_that_only_follows_from_another() {
    let faults = read(|name, text| match name {
        "stops.txt" => text.replace("48.21", "x"),
        "calendar.txt" => text.replace("20261231", "2026"),
        "stop_times.txt" => text.replace("A,1", "A,one").replace("25:10:00", "25:60:00"),
        "fare_attributes.txt" => text.replace("1.50", "cheap"),
        _ => text.to_owned(),
    });
    let places: Vec<_> = faults.unwrap_err().all.iter().map(FeedError::place).collect();
    assert_eq!(
        places,
        [
            ("stops.txt", Some(3), Some("stop_lat")),
            ("calendar.txt", Some(2), Some("end_date")),
            ("stop_times.txt", Some(2), Some("stop_sequence")),
            ("stop_times.txt", Some(3), Some("arrival_time")),
            ("fare_attributes.txt", Some(2), Some("price")),
        ]
    );
    let many = read(|name, text| match name {
        "stop_times.txt" => format!("{text}{}", "t1,,,Z,1\n".repeat(150)),
        _ => text.to_owned(),
    });
    let many = many.unwrap_err();
    assert_eq!((many.all.len(), many.more), (100, 50));
    assert!(many.to_string().ends_with("\nand 50 more"));
}

/// A real light rail, whose fares are in a currency without minor units. The folder is found by `ONESCAN_GTFS`, or beside
/// the repository as `../shared/data/gtfs`; where it is not there, there is nothing to read.
#[test]
fn a_real_feed_is_read_whole() {
    let beside = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("../../../shared/data/gtfs");
    let root = std::env::var_os("ONESCAN_GTFS").map_or(beside, Into::into);
    let folder = root.join("haga-utsunomiya");
    let Ok(names) = std::fs::read_dir(&folder) else {
        println!("no feed in {}", folder.display());
        return;
    };
    let files: BTreeMap<String, String> = names
        .filter_map(|entry| {
            let name = entry.unwrap().file_name().into_string().unwrap();
            let text = name
                .ends_with(".txt")
                .then(|| std::fs::read_to_string(folder.join(&name)).unwrap())?;
            Some((name, text))
        })
        .collect();
    let feed = Feed::read(|name| files.get(name).map(String::as_str)).unwrap();
    assert_eq!((feed.stops.len(), feed.lines.len(), feed.trips.len()), (34, 1, 365));
    assert_eq!((feed.stop_times.len(), feed.fares.all.len()), (6_383, 6));
    let question = FareQuestion {
        line: Some("1"),
        origin: "1_01",
        destination: "2_01",
        ..FareQuestion::default()
    };
    let price = feed.fares.price(&question).unwrap();
    assert_eq!((price.minor, price.currency.code()), (150, "JPY"));
    let most = feed.fares.maximum(Some("1"), Some("1_01")).unwrap();
    assert_eq!(
        most.minor,
        feed.fares.all.iter().map(|fare| fare.price.minor).max().unwrap()
    );
    // A holiday in the feed's calendar: the Sunday service runs on that Thursday.
    let holiday = Date::parse("2023-11-23").unwrap().days();
    assert!(feed.services["土日祝日"].runs_on(holiday) && !feed.services["平日"].runs_on(holiday));
}
