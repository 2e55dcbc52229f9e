"""The fault suite: the real worker, real HTTP and SMTP servers, and a ledger of what was published and what arrived.

python -m tests.faults [--seed N] [--scenario NAME] [--short]     see docs/faults.md

clock       a clock that several processes share, runs faster than ours and can jump
warm        starts workers cheaply: forks of a process that has imported everything
moments     when a fault happens: at the n-th request or SMTP command seen, or a seeded while after it
newsroom    the feeds, their HTTP faults, and a record of what was published
mailboxes   the mail server, its SMTP faults, and a record of what it took, and whether that was acknowledged
ledger      the two records side by side: lost, told twice, copied
world       all of it together around one data folder
scenarios   what is done to the worker

Everything random comes from one seed.
"""
