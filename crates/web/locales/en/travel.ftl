# The administrator's pages of rides

travel = Travel
travel-none = You administer no institution.
travel-kinds = Kinds of travel
travel-kinds-none = None yet. Add the first: what your people may ride at the institution's cost.
travel-kind = Kind of travel
travel-kind-new = Add a kind of travel
travel-kind-edit = Change form and approval
travel-version = Version { $version }
travel-next = Another version begins { $time }
travel-no-policy = No rules: every ride is paid
travel-name = Name
travel-code = Code
travel-code-hint = Small letters, digits, - and _
travel-code-wrong = Code: use 1 to 40 small letters, digits, - and _.
travel-code-taken = Another kind of travel has this code.
travel-approval = Who approves applications?
travel-approval-none = Nobody: approved at once
travel-approval-administrators = An administrator
travel-approval-automatic = By rule at once, else an administrator
travel-automatic-what = By rule at once, when all of this holds (empty: any):
travel-rides-max = Rides at most
travel-days-max = Days at most
travel-number-wrong = Enter a whole number from 1 to 2000, or nothing.
travel-refund = A ride that is refunded whole gives the form's ride back
travel-form = What an application must tell
travel-form-what = Besides purpose, validity, cities and cost centre.
travel-field = Field { $number }
travel-field-label = Label
travel-field-name = Name for programs
travel-field-kind = Kind
travel-field-text = Text
travel-field-number = Number
travel-field-date = Date
travel-field-choice = Choice
travel-field-choices = Choices, with commas
travel-field-required = Must be filled in
travel-field-wrong = “{ $name }” is no name of a field, or stands there twice.
travel-choices-missing = A choice needs values.
funding = Where the money comes from
funding-what = The first account that can pay is taken. Institutions below follow unless they set their own.
funding-source = { $number }. account
funding-cap = At most, per ride ({ $currency })
funding-cap-what = Empty: the whole ride. What the account does not pay is the person's.
funding-member = The member's own dedicated account
funding-institution = The account of the member's institution
funding-tree = Choose an institution of the same tree.
funding-steps = Choose 1 to 20 accounts.
calendar = Days off and make-up workdays
calendar-what = What “Kind of day” in a policy goes by. Every other day is a workday from Monday to Friday and a weekend day on Saturday and Sunday.
calendar-holidays = { $count ->
    [one] { $count } day off
   *[other] { $count } days off
}
calendar-workdays = { $count ->
    [one] { $count } make-up workday
   *[other] { $count } make-up workdays
}
calendar-days = One a line: date or range, holiday or workday, name
calendar-days-hint = Such as 2026-10-01..2026-10-07,holiday,National Day
rule-at-most = { $rule }: at most { $allowed }
rule-at-least = { $rule }: at least { $allowed }
rule-in = { $rule }: { $allowed }
rule-not-in = { $rule }: not { $allowed }
rule-holds = { $rule }: { $allowed }
rule-all = All of these:
rule-any = At least one of these:
rule-not = Not all of these:
policy-rules = Rules
policy-rules-what = One a line; all must hold for the institution to pay. Amounts are in the currency's smallest unit.
policy-dimensions = What rules can look at
policy-blocks = “all of”, “any of” and “not” join the lines that are indented under them.
policy-from = In force from
policy-from-hint = Local time, { $zone }. Empty: at once. To change a version that begins later, save another for the same time.
policy-from-wrong = A version begins now or later, and not before the newest one.
policy-taken = Somebody saved another version at the same time. Look at it first.
policy-save = Save as a new version
policy-replay = Replay the past
policy-replay-what = What would these rules have done to rides that were paid? Nothing is written.
policy-replay-do = Replay
policy-since = From
policy-window-wrong = Choose the first and the last day.
policy-try = Dry run
policy-try-what = Would this ride be paid by these rules now? Nothing is written.
policy-try-do = Try
policy-try-wrong = Enter an amount such as 12.50, and when the ride starts.
policy-try-who = Choose a member and who carries them.
policy-member = Member
policy-provider = Carrier
policy-amount = Fare ({ $currency })
policy-start = Start
policy-city = City
policy-line = Line
policy-verdict = Verdict
policy-pays = The institution pays
policy-pays-not = The institution does not pay
policy-holds = holds
policy-fails = fails
policy-versions = Versions
policy-none = No version yet: every ride with a form is paid.
policy-empty = No rules: everything is paid.
policy-current = in force
policy-later = begins later
policy-past = over
replay-seen = { $count ->
    [one] { $count } ride that rules had decided was looked at.
   *[other] { $count } rides that rules had decided were looked at.
}
replay-to-personal = Would have moved { $rides }, { $amount }, to personal payment.
replay-to-institution = Would have moved { $rides }, { $amount }, to the institution.
replay-cut = Older rides were left out because there are too many.
ride-count = { $count ->
    [one] { $count } ride
   *[other] { $count } rides
}
travel-rides = Rides
travel-rides-none = No rides yet. Each one stands here at once, with who paid and why.
travel-list = List
travel-by-stop = By stop
travel-stop = Start
travel-institution = Institution
travel-person = Members
travel-owed = Owed
travel-older = Older
travel-cut = The newest 5,000 rides are counted.
stop-unknown = not told
ride-by-member = Paid by the member
ride-member-owes = The member owes it
