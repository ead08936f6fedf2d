# Every page

skip-to-content = Skip to content
navigation = Navigation
footer = Onescan: one scan pays and hands over the invoice details.
sign-in = Sign in
sign-out = Sign out
sign-out-of = Sign out of { $name }
sign-up = Register
theme-switch = Switch between light and dark
save = Save
change = Change
remove = Remove
cancel = Cancel
close = Close
search = Search
copy = Copy
copied = Copied
older = Older
when = When
you = You
reference = Reference
try-again = Try again
to-start = To the start page

nav-code = Code
nav-payments = Payments
nav-profiles = Invoicing
nav-privacy = Privacy
nav-account = Account
nav-till = Till
nav-sales = Sales
nav-invoice = Invoice terminal

# Start page and demo

start-title = One scan pays and fills in the invoice
start-lead = Show one code at the till. It pays, within the limits of whoever pays, and the merchant gets the right invoice details with it: no forms, no spelling out tax numbers.
start-programs = Programs use the same functions over the API:
door-person = Person
door-person-what = Your payment code, your invoice details, your payments. For yourself or in the name of your institution.
door-person-go = Show my code
door-till = Till
door-till-what = Enter the amount, scan the code, done. With a hand scanner, a camera or the keyboard alone.
door-till-go = Open the till
door-invoice = Invoice terminal
door-invoice-what = Scan the same code again and get the buyer's details for the invoice.
door-invoice-go = Open the invoice terminal
demo = Demo
demo-you-are = You are { $name }. Change role
demo-nobody = Nobody is signed in. Choose a role
demo-try = Try it
demo-try-how = Sign in with one touch. Open the person's code on one screen and the till on another, or change roles in the bar above.

# Errors

error-not-found = This page or thing does not exist
error-not-found-advice = The address may be mistyped, or what it names belongs to somebody else. Go back and choose it from the list.
error-unreadable = The form could not be read
error-unreadable-advice = Something in it is missing or too long. Go back, check it and send it again.
error-foreign = The form came from another site
error-foreign-advice = Forms are taken from this site's own pages only. Open the page here and send it again.
error-wrong-role = This terminal has another role
error-wrong-role-advice = A till takes payments, an invoice terminal reads invoice details. Sign in with the key of the other terminal.
error-busy = Not done: the server is busy or a part of it is not there
error-busy-advice = Nothing was changed. Wait a moment and try again.
error-unknown-outcome = It is not known yet whether this was done
error-unknown-outcome-advice = Do not start anew. Send the same form again: it is done once at most, and you get the first answer.
error-internal = Something went wrong here
error-internal-advice = It is not your fault. Try again; if it happens again, tell the operator the reference.

text-empty = Please fill this in
text-long = At most { $max } characters
text-control = Please remove line breaks and control characters
form-wrong = Something is not right yet. See the marked fields.

# Signing in and registering

login = Sign-in name
login-hint = 3 to 100 letters and digits, also . _ - @ +
login-shape = The sign-in name needs 3 to 100 letters and digits, also . _ - @ +
login-taken = This sign-in name is taken. Choose another, or sign in.
password = Password
password-hint = At least 8 characters. A short sentence is easy to keep in mind.
password-short = The password needs at least 8 characters.
password-long = The password may have at most 128 characters.
password-same = The password must not be the sign-in name.
password-common = This password is among the first that others would try. Choose another.
sign-in-wrong = Sign-in name or password is wrong. Check both and try again.
sign-in-too-many = Too many wrong passwords. Try again after { $clock }.
no-account-yet = No account yet?
have-account = Registered already?
at-a-till = At a till?
name = Name
email = E-mail
email-optional = E-mail (optional)
email-shape = An e-mail address looks like name@example.org
identity = Which number identifies you?
identity-user_number = A user number is given to me
identity-credential = Identity card
identity-cross_border_credential = Passport or other travel document
identity-number = Number of the document
identity-number-hint = Only needed for a card or passport. It is never printed in a code.
identity-shape = The number of the document has 1 to 64 letters, digits, hyphens, points or slashes.
identity-taken = This document is registered already. Sign in instead.
currency = Currency
currency-unknown = This currency is not known
time-zone = Time zone
time-zone-unknown = This time zone is not known. Use a name such as Europe/Vienna.
language-unknown = This language is not spoken here
till-sign-in = Sign in a terminal
till-key = Terminal key
till-key-how = The merchant's administrator gets a key for each terminal. It begins with key_ and signs in this browser until the key is revoked.
till-key-wrong = This is not the key of a terminal, or it was revoked. Ask for a new one.

# Done

done-signed-out = Signed out
done-enabled = Code payment is enabled
done-paused = Code payment is paused
done-resumed = Code payment is on again
done-chosen = Sent to the merchant
done-profile-saved = Invoice details saved
done-profile-removed = Invoice details removed
done-withdrawn = Consent withdrawn
done-session-ended = Signed out there
done-saved = Saved
done-password-changed = Password changed
done-refunded = Refunded

# States of a payment

state-paid = Paid
state-authorised = Reserved
state-paid-elsewhere = Marked as paid elsewhere
state-refused = Refused
state-voided = Released
state-expired = Expired
state-reversed = Reversed
state-refunded = Refunded
state-partly-refunded = Partly refunded

# Why a payment was refused

dimension-amount = Per payment
dimension-amount_day = Per day
dimension-amount_month = Per month
dimension-count_day = Payments per day
dimension-count_month = Payments per month
dimension-weekday = Weekday
dimension-clock = Time of day
dimension-category = Kind of merchant
dimension-merchant = Merchant
dimension-city = City
reason-at-most = { $rule }: at most { $allowed } is allowed, this would make { $seen }.
reason-at-least = { $rule }: at least { $allowed } is asked for, this was { $seen }.
reason-in = { $rule }: allowed are { $allowed }, this was { $seen }.
reason-not-in = { $rule }: { $allowed } is excluded, this was { $seen }.
reason-left = { $left } is left.
refusal-currency = The money is kept in { $payer }, the merchant asked for { $asked }.
refusal-scenario = No rule permits this kind of merchant.
refusal-scenario-till = The buyer's rules do not permit this kind of merchant.
refusal-consent = You have not agreed to pay this much yourself when the institution does not pay.
refusal-funds = There is too little money in the account.
refusal-funds-till = There is too little money in the account that would pay.
