#!/bin/sh
# Writes the manual page from the help texts of the program.
set -eu
kith=$1
text() { sed -e 's/\\/\\e/g' -e 's/-/\\-/g' -e "s/^\\([.']\\)/\\\\\&\\1/"; }

version=$("$kith" version | cut -d' ' -f2)
cat <<EOF
.TH KITH 1 "" "kith $version" "User commands"
.SH NAME
kith \- who is in this picture?
.SH SYNOPSIS
.B kith
.I command
[\fB\-\-\fIsetting\fB=\fIvalue\fR ...]
.SH DESCRIPTION
Accepts image paths or bytes over HTTP/1.1 and HTTP/2, stores them durably, recognises the faces with a plug\-in, and shows
the results on a live page. With no configuration it keeps its records in ./data and listens on loopback only.
.SH COMMANDS
.nf
EOF
"$kith" help | sed -n 's/^  //p' | text
cat <<EOF
.fi
.SH SETTINGS
Each is a variable of the environment, a line of the file .env, or a flag (KITH_API_LISTEN is \-\-api\-listen).
.nf
EOF
"$kith" help settings | text
cat <<EOF
.fi
.SH EXIT STATUS
0: success. 1: failure. 2: a wrong setting or argument, named in one line on standard error.
.SH FILES
.I /etc/kith/kith.env
settings of the service kith.service
.SH SEE ALSO
/usr/share/doc/kith, /usr/share/kith/models.sh
EOF
