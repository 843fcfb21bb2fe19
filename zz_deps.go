package main

import (
	_ "github.com/beevik/ntp"
	_ "github.com/chromedp/chromedp"
	_ "github.com/hashicorp/raft"
	_ "github.com/labstack/echo/v4"
	_ "github.com/miekg/dns"
	_ "github.com/rogpeppe/go-internal/testscript"
	_ "github.com/rqlite/rqlite/v8/command/proto"
	_ "github.com/rqlite/rqlite/v8/store"
	_ "github.com/spf13/pflag"
	_ "github.com/yuin/gopher-lua"
	_ "github.com/yuin/gopher-lua/parse"
	_ "golang.org/x/crypto/argon2"
	_ "golang.org/x/sys/unix"
	_ "golang.org/x/term"
	_ "golang.org/x/text/language"
	_ "modernc.org/sqlite"
	_ "pgregory.net/rapid"
)

func main() {}
