package appliance_test

import (
	"bytes"
	"context"
	"crypto/tls"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/miekg/dns"
	"golang.org/x/sys/unix"

	"hexad/engine"
	"hexad/engine/appliance/appliancetest"
)

// The networks of the walks: private ones, as an address mapping leads to.
const (
	walkNet4 = "10.20.30"
	walkNet6 = "fd00:20:30"
)

// walkLab is a network of a walk's own: its peers, and the network of the
// administrator with the DNS server.
type walkLab struct {
	t     *testing.T
	name  string
	https *http.Client
}

// newWalkLab makes the network, or skips the test where there cannot be one.
func newWalkLab(t *testing.T, peers int) *walkLab {
	t.Helper()
	if os.Getuid() != 0 {
		t.Skip("network namespaces need root")
	}
	for _, tool := range []string{"bash", "ip", "nft", "flock", "setsid", "ssh"} {
		if _, err := exec.LookPath(tool); err != nil {
			t.Skipf("the walk needs %s (apt-get install iproute2 nftables util-linux openssh-client)", tool)
		}
	}
	l := &walkLab{t: t, name: fmt.Sprintf("hxw%d", os.Getpid()%1_000_000)}
	if out, err := l.command("up", fmt.Sprint(peers), "--no-host").CombinedOutput(); err != nil {
		_ = l.command("down").Run() // what there is of it
		t.Skipf("this system does not allow network namespaces: %s", out)
	}
	t.Cleanup(func() { l.do("down") })
	l.https = &http.Client{Timeout: time.Minute, Transport: &http.Transport{
		TLSClientConfig: &tls.Config{InsecureSkipVerify: true}, DisableKeepAlives: true,
		DialContext: func(ctx context.Context, network, address string) (conn net.Conn, err error) {
			err = l.inside("mgmt", func() error {
				conn, err = new(net.Dialer).DialContext(ctx, network, address)
				return err
			})
			return conn, err
		},
	}}
	return l
}

func (l *walkLab) command(args ...string) *exec.Cmd {
	cmd := exec.Command(filepath.Join(appliancetest.Root(), "testdata", "lab", "netlab.sh"), args...)
	cmd.Env = append(os.Environ(), "NETLAB_NAME="+l.name, "NETLAB_NET4="+walkNet4, "NETLAB_NET6="+walkNet6)
	return cmd
}

// do runs a command of the laboratory.
func (l *walkLab) do(args ...string) {
	l.t.Helper()
	if out, err := l.command(args...).CombinedOutput(); err != nil {
		l.t.Fatalf("netlab.sh %s: %v\n%s", strings.Join(args, " "), err, out)
	}
}

// within is the command that runs another one in a namespace of the lab.
func (l *walkLab) within(who string) []string {
	return []string{"ip", "netns", "exec", l.name + "-" + who}
}

// inside runs do in a namespace of the lab: the sockets that it opens stay there.
//
// The thread goes back afterwards and lives on: with a thread the peers would
// end that it has started.
func (l *walkLab) inside(who string, do func() error) error {
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	home, err := os.Open("/proc/thread-self/ns/net")
	if err != nil {
		return err
	}
	defer home.Close()
	there, err := os.Open("/run/netns/" + l.name + "-" + who)
	if err != nil {
		return err
	}
	defer there.Close()
	if err := unix.Setns(int(there.Fd()), unix.CLONE_NEWNET); err != nil {
		return err
	}
	defer func() {
		if err := unix.Setns(int(home.Fd()), unix.CLONE_NEWNET); err != nil {
			panic("a thread stays in another network: " + err.Error())
		}
	}()
	return do()
}

// get fetches a page of a peer from the administrator's network.
func (l *walkLab) get(p *appliancetest.Peer, path string) error {
	answer, err := l.https.Get("https://" + net.JoinHostPort(p.Address, "8443") + path)
	if err != nil {
		return err
	}
	defer answer.Body.Close()
	if _, err := io.Copy(io.Discard, answer.Body); err != nil {
		return err
	}
	if answer.StatusCode != http.StatusOK {
		return fmt.Errorf("%s answers %s", path, answer.Status)
	}
	return nil
}

// post runs a command on a peer as a program does: over HTTPS, with the
// administrator's name and password. It returns the lines of the answer.
func (l *walkLab) post(p *appliancetest.Peer, name string, args map[string]string) (string, error) {
	body, err := json.Marshal(map[string]any{"args": args})
	if err != nil {
		return "", err
	}
	request, err := http.NewRequest(http.MethodPost, "https://"+net.JoinHostPort(p.Address, "8443")+"/api/v1/commands/"+name, bytes.NewReader(body))
	if err != nil {
		return "", err
	}
	request.SetBasicAuth("admin", appliancetest.Password)
	request.Header.Set("Content-Type", "application/json")
	answer, err := l.https.Do(request)
	if err != nil {
		return "", err
	}
	defer answer.Body.Close()
	var out struct {
		Lines []string
		Error *engine.Error
	}
	text, err := io.ReadAll(answer.Body)
	if err == nil {
		err = json.Unmarshal(text, &out)
	}
	switch {
	case err != nil:
		return "", fmt.Errorf("%s: %w: %s", answer.Status, err, text)
	case out.Error != nil:
		return "", out.Error
	case answer.StatusCode != http.StatusOK:
		return "", fmt.Errorf("%s: %s", answer.Status, text)
	}
	return strings.Join(out.Lines, "\n"), nil
}

// walkNames is the DNS server of a walk. It counts who is asked for.
type walkNames struct {
	mu      sync.Mutex
	forward map[string]net.IP
	asked   map[string]int // A and AAAA questions by name
	log     []string
}

// names serves DNS on the administrator's network until the test ends.
func (l *walkLab) names(forward map[string]string) *walkNames {
	l.t.Helper()
	n := &walkNames{asked: map[string]int{}}
	n.say(forward)
	var conn net.PacketConn
	err := l.inside("mgmt", func() (err error) {
		conn, err = net.ListenPacket("udp", ":53")
		return err
	})
	if err != nil {
		l.t.Fatal(err)
	}
	server := &dns.Server{PacketConn: conn, Handler: n}
	go func() { _ = server.ActivateAndServe() }() // until it is shut down
	l.t.Cleanup(func() { _ = server.Shutdown(); conn.Close() })
	return n
}

// say changes what the server answers.
func (n *walkNames) say(forward map[string]string) {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.forward = map[string]net.IP{}
	for name, ip := range forward {
		n.forward[dns.Fqdn(name)] = net.ParseIP(ip)
	}
}

// count is how often addresses of these names were asked for.
func (n *walkNames) count(names ...string) (out int) {
	n.mu.Lock()
	defer n.mu.Unlock()
	for _, name := range names {
		out += n.asked[dns.Fqdn(name)]
	}
	return out
}

// since are the questions after the first count ones.
func (n *walkNames) since(count int) string {
	n.mu.Lock()
	defer n.mu.Unlock()
	return strings.Join(n.log[min(count, len(n.log)):], "\n")
}

// ServeDNS answers forwards and backwards.
func (n *walkNames) ServeDNS(w dns.ResponseWriter, r *dns.Msg) {
	n.mu.Lock()
	defer n.mu.Unlock()
	answer := new(dns.Msg).SetReply(r)
	q := r.Question[0]
	name := strings.ToLower(q.Name)
	head := dns.RR_Header{Name: q.Name, Rrtype: q.Qtype, Class: dns.ClassINET, Ttl: 2}
	if q.Qtype == dns.TypeA || q.Qtype == dns.TypeAAAA {
		n.asked[name]++
		n.log = append(n.log, fmt.Sprintf("%s %s asks for %s %s", time.Now().UTC().Format("15:04:05.000"), w.RemoteAddr(), dns.TypeToString[q.Qtype], name))
	}
	ip, known := n.forward[name]
	switch {
	case known && q.Qtype == dns.TypeA && ip.To4() != nil:
		answer.Answer = append(answer.Answer, &dns.A{Hdr: head, A: ip})
	case known && q.Qtype == dns.TypeAAAA && ip.To4() == nil:
		answer.Answer = append(answer.Answer, &dns.AAAA{Hdr: head, AAAA: ip})
	case q.Qtype == dns.TypePTR:
		for host, ip := range n.forward {
			if arpa, err := dns.ReverseAddr(ip.String()); err == nil && arpa == name {
				answer.Answer = append(answer.Answer, &dns.PTR{Hdr: head, Ptr: host})
			}
		}
	case !known:
		answer.Rcode = dns.RcodeNameError
	}
	_ = w.WriteMsg(answer) // who asks asks again
}
