//! Acceptance tests: the whole program over HTTP, without a socket where none is needed.

#[expect(dead_code, reason = "a box of tools; not every test takes every one")]
mod support;

mod bad_input;
mod browser;
mod command_line;
mod concurrency;
mod configuration;
mod demo;
mod harness;
mod idempotency;
mod ledger;
mod openapi;
mod restart;
mod s01_one_access_one_code;
mod s02_code_record;
mod s04_who_pays;
mod s05_enabling;
mod s06_profiles;
mod s07_institution_code;
mod s08_dynamic_code;
mod s09_rendering;
mod s10_reminders;
mod s11_scenario_told;
mod s12_permission;
mod s13_status;
mod s14_asked_again;
mod s15_one_answer;
mod s16_result_first;
mod s17_second_scan;
mod s18_profile_of_the_scenario;
mod s19_choice;
mod s22_leaked_code;
mod s23_four_modules;
mod steps;
mod stopping;
mod verify;
