package appliance_test

import (
	"bytes"
	"crypto/tls"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/miekg/dns"

	"hexad/engine/appliance/appliancetest"
)

// netlabName is the prefix of the lab's namespaces, another for each process,
// so that two runs of the tests do not meet.
var netlabName = fmt.Sprintf("hx%d", os.Getpid()%1_000_000)

// netlab runs a command of the laboratory and returns what it prints.
func netlab(t *testing.T, args ...string) string {
	t.Helper()
	out, err := netlabCommand(args...).CombinedOutput()
	if err != nil {
		t.Fatalf("netlab.sh %s: %v\n%s", strings.Join(args, " "), err, out)
	}
	return strings.TrimSpace(string(out))
}

func netlabCommand(args ...string) *exec.Cmd {
	cmd := exec.Command(filepath.Join(appliancetest.Root(), "testdata", "lab", "netlab.sh"), args...)
	cmd.Env = append(os.Environ(), "NETLAB_NAME="+netlabName)
	return cmd
}

// needNetlab makes a lab of six peers, or skips the test where there cannot be one.
func needNetlab(t *testing.T) {
	t.Helper()
	if os.Getuid() != 0 {
		t.Skip("network namespaces need root")
	}
	for _, tool := range []string{"bash", "ip", "nft", "tc", "flock", "setsid", "go"} {
		if _, err := exec.LookPath(tool); err != nil {
			t.Skipf("the network laboratory needs %s (apt-get install iproute2 nftables util-linux)", tool)
		}
	}
	if out, err := netlabCommand("up", "6", "--no-host").CombinedOutput(); err != nil {
		_ = netlabCommand("down").Run() // what there is of it
		t.Skipf("this system does not allow network namespaces: %s", out)
	}
	t.Cleanup(func() { netlab(t, "down") })
}

// within is the command that runs another one in a namespace of the lab: of a
// peer ("p1") or of the management network ("mgmt").
func within(who string) []string {
	return []string{"ip", "netns", "exec", netlabName + "-" + who}
}

// labPeers makes the first count peers of the lab, which have never run, in a
// lab without faults. address is the form of their addresses, with the number
// of the peer.
func labPeers(t *testing.T, count int, address string, args ...string) []*appliancetest.Peer {
	t.Helper()
	netlab(t, "heal")
	var out []*appliancetest.Peer
	for n := 1; n <= count; n++ {
		p := appliancetest.New(t, n, fmt.Sprintf(address, n), args...)
		p.Within = within(fmt.Sprintf("p%d", n))
		out = append(out, p)
	}
	return out
}

// helper starts this test program again inside a namespace to do what task
// says (see TestNetlabHelper), until the test ends; its standard output is returned.
func helper(t *testing.T, who, task string, env ...string) *bytes.Buffer {
	t.Helper()
	line := append(within(who), os.Args[0], "-test.run=^TestNetlabHelper$", "-test.v")
	cmd := exec.Command(line[0], line[1:]...)
	cmd.Env = append(append(os.Environ(), "HEXAD_NETLAB_TASK="+task), env...)
	out := &bytes.Buffer{}
	cmd.Stdout, cmd.Stderr = out, out
	cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = cmd.Process.Kill() // it may have ended
		_ = cmd.Wait()
	})
	if task == "get" {
		_ = cmd.Wait() // out says how it went
	}
	return out
}

// TestNetlabHelper is no test: it is what helper runs inside a namespace.
func TestNetlabHelper(t *testing.T) {
	switch task := os.Getenv("HEXAD_NETLAB_TASK"); task {
	case "":
		t.Skip("it only serves other tests")
	case "get":
		client := &http.Client{Timeout: 10 * time.Second, Transport: &http.Transport{TLSClientConfig: &tls.Config{InsecureSkipVerify: true}}}
		resp, err := client.Get(os.Getenv("HEXAD_NETLAB_URL"))
		if err != nil {
			t.Fatal(err)
		}
		defer resp.Body.Close()
		page, err := io.ReadAll(resp.Body)
		if err != nil {
			t.Fatal(err)
		}
		fmt.Printf("answer %s %s\n", resp.Status, page)
	case "dns":
		serveNames(t, os.Getenv("HEXAD_NETLAB_ZONE"), os.Getenv("HEXAD_NETLAB_ASKED"))
	default:
		t.Fatalf("there is no task %q", task)
	}
}

// serveNames is a DNS server for the names of zone, "name=IP name=IP", forwards
// and backwards. It writes each name that it is asked for to a file.
func serveNames(t *testing.T, zone, asked string) {
	log, err := os.OpenFile(asked, os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
	if err != nil {
		t.Fatal(err)
	}
	defer log.Close()
	forward, backward := map[string]net.IP{}, map[string]string{}
	for _, pair := range strings.Fields(zone) {
		name, ip, _ := strings.Cut(pair, "=")
		forward[dns.Fqdn(name)] = net.ParseIP(ip)
		arpa, err := dns.ReverseAddr(ip)
		if err != nil {
			t.Fatal(err)
		}
		backward[arpa] = dns.Fqdn(name)
	}
	server := &dns.Server{Addr: "0.0.0.0:53", Net: "udp", Handler: dns.HandlerFunc(func(w dns.ResponseWriter, r *dns.Msg) {
		answer := new(dns.Msg).SetReply(r)
		q := r.Question[0]
		name := strings.ToLower(q.Name)
		fmt.Fprintf(log, "%s %s\n", dns.TypeToString[q.Qtype], name)
		head := dns.RR_Header{Name: q.Name, Rrtype: q.Qtype, Class: dns.ClassINET, Ttl: 5}
		ip, known := forward[name]
		target, reverse := backward[name]
		switch {
		case known && q.Qtype == dns.TypeA:
			answer.Answer = append(answer.Answer, &dns.A{Hdr: head, A: ip})
		case reverse && q.Qtype == dns.TypePTR:
			answer.Answer = append(answer.Answer, &dns.PTR{Hdr: head, Ptr: target})
		case !known && !reverse:
			answer.Rcode = dns.RcodeNameError
		}
		_ = w.WriteMsg(answer) // who asks asks again
	})}
	if err := server.ListenAndServe(); err != nil {
		t.Fatal(err)
	}
}

// elections counts the elections in the logs of the peers.
func elections(peers []*appliancetest.Peer) int {
	n := 0
	for _, p := range peers {
		n += strings.Count(p.Log(), "starting election")
	}
	return n
}

// labZones numbers the zones that the tests add.
var labZones atomic.Int64

// addZone saves a new zone and returns what is printed.
func addZone(p *appliancetest.Peer) string {
	p.T.Helper()
	return p.Exec(`xCommand ZoneAdd ZoneName: "zone%d" Type: Neighbor`, labZones.Add(1))
}
