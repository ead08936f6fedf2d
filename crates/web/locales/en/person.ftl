# Code page

code-own = My own
code-who-pays = Who pays
code-title = Payment code
code-shape = How the code is shown
code-qr = QR code
code-bars = Barcode
code-how = Show this to the cashier. It pays once.
code-renews = It renews by itself.
code-renews-in = New code in % s
code-offline = No connection. The code shown may be out of date; it renews when the connection is back.
code-sound = Sound
code-renew = New code
code-digits = Show the digits
code-digits-warning = Only for a cashier in front of you. Never read them out on the telephone or send them in a message: whoever has them can pay with your money.
code-pause = Pause code payment
code-paused = Code payment is paused
code-paused-what = No code can be made or paid with. Your payments and invoice details stay.
code-resume = Resume
code-none = There is no code to show
code-institution-none = This institution has no code payment yet. Ask its administrator.
code-institution-paused = The institution has paused its code payment. Ask its administrator.
code-not-tied = You may not show this institution's code. Ask its administrator to add you.
code-closed = Your code payment was closed for good. Ask the operator if you need a new one.
code-own-instead = My own code
code-next-coming = The next code is coming…
code-next-now = Next code now
enable-title = Enable code payment
enable-what = You get a code that pays from your own account, within limits. A new one is made each time you open this page.
enable-consent = Onescan may read these for your first invoice details
enable-consent-hint = Leave both empty if you would rather enter invoice details yourself. You can withdraw this under Privacy at any time.
enable = Enable
consent-field-name = Name
consent-field-email = E-mail
paid-by = { $name } pays
paid-by-you = You pay
refused-what-now = The code is used up. You can show another code, of another payer perhaps, or pay in another way.
elsewhere-what = The merchant says that you paid in another way. No money was taken here.
elsewhere-object = The merchant says that you paid this in another way. No money was taken here. If that is not so, object at the merchant with the numbers below, and tell the operator.
payment-details = Details
invoice-details-sent = Sent to the merchant for the invoice
invoice-details-none = The merchant got no invoice details.
question-title = Whom shall the invoice name?
question-default = If you do not choose, the first is taken.

# Payments

payments-empty = Your payments will stand here.
payments-first = Show my code
merchant-unknown = Unknown merchant
refunded-of = { $amount } of it was refunded
who-pays = Who pays
scenario = Kind of spending
subject = What for
order-number = Order number
payment-number = Payment number
invoice = Invoice
invoice-issued-at = Issued { $at }
invoice-number = Number
invoice-not-yet = No invoice was issued yet. The merchant has your details where they stand below; ask there, naming the order number.
refunds = Refunds

# Invoice details

profiles-title = Invoice details
profiles-what = What merchants put on your invoices. They get the details of one payment's kind of spending, and no others.
profiles-not-enabled = Enable code payment first: invoice details belong to it.
profiles-empty = Enter a name or a company once, and every invoice gets it right.
profile-add = Add invoice details
profile-add-first = Add the first
profile-change = Change invoice details
profile-preferred = Preferred
profile-preferred-hint = Preferred: taken when I do not choose in time
profile-remove-sure = Remove the invoice details of { $title }? Earlier invoices keep them.
profile-scenarios = For
profile-scenarios-hint = Leave all empty to offer it for every kind of spending.
profile-any-scenario = every kind of spending
profile-more = Address, telephone, bank
title = Name on the invoice
title-kind = Kind
title-personal = Private person
title-company = Company
tax_number = Tax number
tax-number-missing = A company's invoice needs the tax number.
tax-number-shape = A tax number has 5 to 20 letters and digits.
address = Address
telephone = Telephone
bank_name = Bank
bank_account = Bank account
channel = Invoice goes to
channel-inbox = My pages here
channel-inbox-buyer = The buyer's pages

# Privacy

alarms = Alarms
alarms-none = Nothing unusual happened with your codes.
alarms-what = If that was not you: pause code payment, and change your password.
alarm-code-repeated = A used code was shown again
alarm-terminal-locked = A terminal was stopped after too many invalid codes
consents = Consents
consents-none = You have let nothing be read.
consent-code-record = Enabling code payment
consent-given = given { $at }
consent-withdraw = Withdraw
consent-withdraw-sure = Withdraw this consent? Nothing more is read; invoice details you have stay until you remove them.
consent-withdrawn = Withdrawn { $at }
sessions = Signed in
session-this = This browser
session-other = Another browser
session-end = Sign out there

# Account

balance = Balance
balance-how = The operator tops it up. Payments of an institution do not touch it.
number-user = User number
number-card = Identity card
number-passport = Travel document
about-you = About you
password-change = Change password
password-current = Current password
password-current-wrong = The current password is wrong.
password-new = New password
