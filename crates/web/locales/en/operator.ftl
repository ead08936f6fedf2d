# Pages of whoever runs the server

operator = Operator
nav-operator = Platforms
operator-sign-in = Sign in as operator
operator-key = Operator's key
operator-key-how = Whoever runs this server signs in with an operator's key. The server's command line makes one:
platforms-lead = Where each part of Onescan lives, and how it is now.
platforms-look-again = Look again
platforms-trouble = Not every part works. A part that is down takes only its own functions along; what was under way is asked for again by itself.
platform-codes = Codes
platform-profiles = Invoice profiles
platform-payments = Payments
platform-invoicing = Invoices
platform-up = Works
platform-down = No answer
platform-unfit = Does not fit
platform-down-advice = See whether the service runs and can be reached from here, and whether its keys are of the same authority: onescan doctor.
platform-unfit-advice = Another program or another version answers at this address. Set the address under [platforms], or update the service.
platform-place = Lives
platform-here = in this process
platform-version = Version of the contract
platform-latency = Last answer took
platform-calls = Calls since the start
platform-failures = Tries without an answer
