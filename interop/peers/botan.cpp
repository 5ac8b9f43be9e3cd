/* A peer of the interop tests: DTLS 1.2 with Botan 2.19 and pre-shared keys, as server or client,
 * for one connection.
 *
 *   botan server|client PORT --suite NAME --psk HEX --identity TEXT [--hint TEXT]
 *
 * Prints what peers/README.md lists, sends each line of its input as one payload and prints each
 * payload that it receives. */

#include <arpa/inet.h>
#include <netinet/in.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <iostream>
#include <map>
#include <memory>
#include <stdexcept>
#include <string>

#include <botan/auto_rng.h>
#include <botan/credentials_manager.h>
#include <botan/hex.h>
#include <botan/tls_alert.h>
#include <botan/tls_callbacks.h>
#include <botan/tls_ciphersuite.h>
#include <botan/tls_client.h>
#include <botan/tls_policy.h>
#include <botan/tls_server.h>
#include <botan/tls_session_manager.h>

namespace {

using namespace Botan;

const char* const LABEL = "EXPORTER-gramseal-interop";
const size_t EXPORTED = 32;

/* One UDP socket, connected to the first who writes if it was not before. */
class Socket {
public:
    Socket(bool server, uint16_t port) : m_descriptor(::socket(AF_INET, SOCK_DGRAM, 0)), m_connected(!server) {
        sockaddr_in address = {};
        address.sin_family = AF_INET;
        address.sin_port = htons(port);
        address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
        const auto* place = reinterpret_cast<const sockaddr*>(&address);
        if((server ? ::bind(m_descriptor, place, sizeof address) : ::connect(m_descriptor, place, sizeof address)) != 0)
            throw std::runtime_error("no socket");
    }

    int descriptor() const { return m_descriptor; }

    uint16_t port() const {
        sockaddr_in address = {};
        socklen_t length = sizeof address;
        ::getsockname(m_descriptor, reinterpret_cast<sockaddr*>(&address), &length);
        return ntohs(address.sin_port);
    }

    void send(const uint8_t data[], size_t size) { (void)::send(m_descriptor, data, size, 0); }

    size_t receive(uint8_t buffer[], size_t room) {
        sockaddr_in from = {};
        socklen_t length = sizeof from;
        const ssize_t got = ::recvfrom(m_descriptor, buffer, room, 0, reinterpret_cast<sockaddr*>(&from), &length);
        if(got > 0 && !m_connected)
            m_connected = ::connect(m_descriptor, reinterpret_cast<const sockaddr*>(&from), length) == 0;
        return got > 0 ? static_cast<size_t>(got) : 0;
    }

private:
    int m_descriptor;
    bool m_connected;
};

class Callbacks final : public TLS::Callbacks {
public:
    explicit Callbacks(Socket& socket) : m_socket(socket) {}

    void tls_emit_data(const uint8_t data[], size_t size) override { m_socket.send(data, size); }

    void tls_record_received(uint64_t, const uint8_t data[], size_t size) override {
        std::cout.write(reinterpret_cast<const char*>(data), static_cast<std::streamsize>(size)).flush();
    }

    void tls_alert(TLS::Alert alert) override {
        if(alert.type() == TLS::Alert::CLOSE_NOTIFY)
            std::cout << "CLOSED BY PEER" << std::endl;
        else
            std::cout << "ALERT " << alert.type_string() << std::endl;
    }

    bool tls_session_established(const TLS::Session& session) override {
        m_suite = session.ciphersuite().to_string();
        return false;
    }

    const std::string& suite() const { return m_suite; }

private:
    Socket& m_socket;
    std::string m_suite;
};

class Credentials final : public Credentials_Manager {
public:
    Credentials(std::map<std::string, std::string> options, RandomNumberGenerator& rng)
        : m_options(std::move(options)), m_cookie_secret(rng, 32) {}

    std::string psk_identity_hint(const std::string&, const std::string&) override { return m_options["--hint"]; }

    std::string psk_identity(const std::string&, const std::string&, const std::string& hint) override {
        std::cout << "HINT " << hint << std::endl;
        return m_options["--identity"];
    }

    SymmetricKey psk(const std::string& type, const std::string& context, const std::string& identity) override {
        if(type == "tls-server" && context == "dtls-cookie-secret")
            return m_cookie_secret;
        if(identity != m_options["--identity"])
            throw Invalid_Argument("an unknown identity");
        return SymmetricKey(m_options["--psk"]);
    }

private:
    std::map<std::string, std::string> m_options;
    SymmetricKey m_cookie_secret;
};

class Policy final : public TLS::Policy {
public:
    explicit Policy(const std::string& suite) : m_suite(TLS::Ciphersuite::from_name(suite)) {
        if(!m_suite.valid())
            throw std::runtime_error("unknown suite " + suite);
    }

    std::vector<uint16_t> ciphersuite_list(TLS::Protocol_Version, bool) const override {
        return {m_suite.ciphersuite_code()};
    }

    bool allow_dtls10() const override { return false; }

private:
    TLS::Ciphersuite m_suite;
};

void run(bool server, uint16_t port, std::map<std::string, std::string> options) {
    AutoSeeded_RNG rng;
    Socket socket(server, port);
    Callbacks callbacks(socket);
    TLS::Session_Manager_Noop sessions;
    const Policy policy(options["--suite"]);
    Credentials credentials(options, rng);
    std::unique_ptr<TLS::Channel> channel;
    if(server) {
        std::cout << "LISTENING 127.0.0.1:" << socket.port() << std::endl;
        channel.reset(new TLS::Server(callbacks, sessions, credentials, policy, rng, true));
    } else {
        channel.reset(new TLS::Client(callbacks, sessions, credentials, policy, rng, TLS::Server_Information(),
                                      TLS::Protocol_Version::DTLS_V12));
    }
    std::string input;
    bool told = false, reading = true;
    while(reading && !channel->is_closed()) {
        pollfd both[2] = {{socket.descriptor(), POLLIN, 0}, {STDIN_FILENO, POLLIN, 0}};
        // Its input waits until there is a connection to send it on.
        ::poll(both, channel->is_active() ? 2 : 1, 50);
        if(both[0].revents != 0) {
            uint8_t datagram[65536];
            channel->received_data(datagram, socket.receive(datagram, sizeof datagram));
        }
        if(channel->is_active() && !told) {
            told = true;
            const auto exported = channel->key_material_export(LABEL, "", EXPORTED).bits_of();
            std::cout << "EXPORTED " << hex_encode(exported, false) << "\nCONNECTED " << callbacks.suite() << std::endl;
        }
        if((both[1].revents & (POLLIN | POLLHUP)) != 0) {
            char bytes[4096];
            const ssize_t got = ::read(STDIN_FILENO, bytes, sizeof bytes);
            reading = got > 0;
            input.append(bytes, reading ? static_cast<size_t>(got) : 0);
            for(size_t end; (end = input.find('\n')) != std::string::npos; input.erase(0, end + 1))
                channel->send(input.substr(0, end + 1));
        }
        channel->timeout_check();
    }
    channel->close();
}

}  // namespace

int main(int argc, char** argv) {
    try {
        if(argc < 3 || argc % 2 == 0)
            throw std::runtime_error("usage: server|client PORT [--option value]...");
        std::map<std::string, std::string> options;
        for(int i = 3; i < argc; i += 2)
            options[argv[i]] = argv[i + 1];
        run(std::string(argv[1]) == "server", static_cast<uint16_t>(std::stoi(argv[2])), options);
        return 0;
    } catch(const std::exception& error) {
        std::cerr << "FAILED " << error.what() << std::endl;
        return 1;
    }
}
