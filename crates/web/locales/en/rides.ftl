# Rides: applications, outcomes, what is owed.

nav-rides = Rides
arrears = You owe for rides
arrears-what = Until this is paid you get no new ride code. It is free again at once.
arrears-pay = Pay now
arrears-currency = Your account is kept in another currency. Ask your institution or the provider.
applications = Travel applications
applications-empty = Nothing applied for yet. An approved application makes your institution pay for your rides.
application-reason = Reason: { $reason }
application-withdraw = Withdraw
application-withdraw-sure = Take this application back?
travel-types-none = No institution of yours pays for rides here.
application-new = Apply: { $type }
switch-on = Institution pays: on
switch-off = Institution pays: off
rides = My rides
rides-empty = No rides yet. Each one is shown here at once, with who paid and why.
ride-consent = When the institution does not pay
ride-consent-what = Up to this limit for one ride you pay from your own account. Above it, or without a limit, the ride is owed until you pay it here.
ride-consent-cap = Limit for one ride ({ $currency })
ride-consent-none = Empty: I do not agree.
application-waiting = Waits for approval
application-approved = Approved
application-refused = Refused
application-withdrawn = Withdrawn
application-used = Used
application-expired = Over
application-standing = any number
application-closed = This application was decided already.
ride-paying = Being paid
ride-by-institution = Paid by the institution
ride-by-person = Paid by you
ride-split = Shared
ride-owed = You owe it
form-no-form = You had no form for this kind of travel.
form-not-approved = Your application was not approved yet.
form-not-yet-valid = Your form was not valid yet.
form-expired = Your form's validity was over.
form-used-up = Every ride of your form was used.
form-switched-off = Institution payment was switched off.
form-other-city = Your form does not cover this city.
form-in-use = Another ride is under way with this form.
form-refused-by-institution = Your institution does not pay for this ride.
done-arrears-paid = Paid. You owe nothing for this ride.
done-applied = Application sent
amount-wrong = Enter an amount such as 12.50.
application-purpose = Purpose
application-from = From
application-until = Until (included)
application-validity = Validity
application-rides = Number of rides
application-rides-hint = Empty: any number while it is valid.
application-cities = Cities
application-cities-hint = With commas; empty: anywhere.
application-cost-centre = Cost centre
application-send = Send
back = Back
approvals = Applications to decide
approvals-none = Nothing waits for you.
approve = Approve
refuse = Refuse
refuse-reason = Reason, shown to the person
refuse-reason-missing = Say why, in 1 to 500 characters.
approval-own = Somebody else has to approve your own application.
administration = Administration
administration-what = You administer an institution: decide on applications, set what it pays for, and see every ride.
delegate = Hand on
delegate-to = To
delegated-to = Handed to { $name }; every administrator may still decide.
delegate-wrong = That person is no administrator of the institution.

# Rides as gates tell them, for people and for ride providers

rides-under-way = Under way
tap-ride-open = Under way
tap-ride-waiting = Waits for a missing tap
tap-ride-due = Being ordered
tap-ride-ordered = Ordered
tap-ride-free = Free of charge
tap-ride-unpriced = No fare yet
tap-ride-withdrawn = Part of another ride
tap-ride-doubtful = a clock was wrong, or a code was seen twice
tap-problem-no-fare = Neither the feed nor the set-up has a fare for it.
tap-problem-unknown-person = The person is not known here any more.
tap-problem-underpaid = Later taps made it dearer than what is owed.
tap-problem-owed = Later taps made it cheaper; nothing was paid that could be given back.
journey-open = no exit yet
journey-complete = entry and exit
journey-single = one tap
journey-no-exit = no exit, maximum fare
journey-no-entry = no entry, maximum fare
nav-gates = Gates
gates-look-again = Look again
gates-feed = Fares and stops come from the feed “{ $name }”.
gates-no-feed = There is no transit feed yet: the set-up, onescan gtfs import, or the API takes one in.
gates = Gates
gates-empty = No gate has announced itself yet. onescan gate does so at its first start.
gate-records = { $count ->
    [one] one record
   *[other] { $count } records
}
gate-missing = { $count ->
    [one] one still to come
   *[other] { $count } still to come
}
tap-rides = Rides of the gates
tap-rides-empty = No rides yet. They appear as gates hand over what they saw.
ride-orders = Ride orders
ride-orders-empty = No orders yet.
order-paid = Paid
order-arrears = Owed by the rider
taps = Taps of the last day
taps-empty = Nothing was handed over in the last day.
tap-entry = Entry
tap-exit = Exit
tap-single = Tap
tap-accepted = Let through
tap-faulty = Faulty
deny-list = Deny list
deny-list-empty = No device is denied.
deny-list-what = Devices that gates refuse: revoked ones, and those of people who owe for rides.
setup = Ride set-up
setup-feeds = Transit feeds
setup-feeds-what = Fares, stops and lines of rides come from the feed in use. A new one is looked at first and counts when you put it into use.
setup-feeds-none = None yet.
setup-feed-name = Name
setup-feed-name-hint = Empty: the file's name
setup-feed-file = GTFS feed, a zip archive
setup-feed-take = Read the feed
setup-feed-refused = The feed was not taken. What is wrong with it:
setup-feed-archive = The file is no zip archive, or is damaged.
setup-feed-in-use = The feed is in use: put another into use first.
setup-faults-more = and { $count } more
setup-in-use = in use
setup-lines = { $count ->
    [one] { $count } line
   *[other] { $count } lines
}
setup-stops = { $count ->
    [one] { $count } stop
   *[other] { $count } stops
}
setup-trips = { $count ->
    [one] { $count } trip
   *[other] { $count } trips
}
setup-fares = { $count ->
    [one] { $count } fare
   *[other] { $count } fares
}
setup-compared = Against “{ $name }”, which is in use
setup-new = New:
setup-gone = Gone:
setup-use = Put into use
setup-delete = Delete
setup-fare-try = What would a ride cost?
setup-fare-ask = Ask
setup-from = From
setup-to = To
setup-fares-title = Taps and fares
setup-fares-what = Holds for rides that are priced from now on. A fare that is empty is the feed's.
setup-travel-type = Code of the travel type
setup-single-fare = Fare of one tap
setup-maximum-fare = Fare of an incomplete journey
setup-journey-max = Longest journey, minutes
setup-late = Minutes to wait for a missing tap
setup-minutes-wrong = enter a whole number
setup-minutes-range = use { $range }
