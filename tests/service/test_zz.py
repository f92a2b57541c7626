def test_d(dovecot):
    try:
        dovecot.append(b"Subject: x\r\n\r\nhi\r\n")
        print(dovecot.flags_of(1), dovecot.flags_of(2))
        print(dovecot.open().capability())
    finally:
        print((dovecot.home/"log").read_text())
