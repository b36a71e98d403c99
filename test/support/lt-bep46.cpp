// Puts and gets BEP 46 items with libtorrent, whose Python binding cannot put dictionaries.
//   lt-bep46 put <bootstrap host:port> <listen [host:]port> <salt> <infohash hex> <seed hex>
//   lt-bep46 get <bootstrap host:port> <listen [host:]port> <salt> <public key hex>
// Prints one line of JSON and exits with 0, or with 1 when nothing came of it.
#include <array>
#include <chrono>
#include <cstdio>
#include <cstring>
#include <functional>
#include <string>
#include <vector>
#include <libtorrent/alert_types.hpp>
#include <libtorrent/bencode.hpp>
#include <libtorrent/hex.hpp>
#include <libtorrent/kademlia/ed25519.hpp>
#include <libtorrent/kademlia/item.hpp>
#include <libtorrent/session.hpp>
#include <libtorrent/settings_pack.hpp>

using std::chrono::steady_clock;

static std::string hex(char const* bytes, std::size_t length)
{
	return lt::aux::to_hex({bytes, std::ptrdiff_t(length)});
}

static std::string unhex(char const* text)
{
	std::string bytes;
	for (; text[0] && text[1]; text += 2)
		bytes.push_back(char(std::stoi(std::string(text, 2), nullptr, 16)));
	return bytes;
}

static lt::session_params params(std::string const& bootstrap, std::string listen)
{
	if (listen.find(':') == std::string::npos) listen = "127.0.0.1:" + listen;
	lt::settings_pack pack;
	pack.set_str(lt::settings_pack::listen_interfaces, listen);
	pack.set_str(lt::settings_pack::dht_bootstrap_nodes, bootstrap);
	pack.set_int(lt::settings_pack::alert_mask, lt::alert_category::all);
	pack.set_bool(lt::settings_pack::enable_lsd, false);
	pack.set_bool(lt::settings_pack::enable_upnp, false);
	pack.set_bool(lt::settings_pack::enable_natpmp, false);
	pack.set_bool(lt::settings_pack::dht_restrict_routing_ips, false);
	pack.set_bool(lt::settings_pack::dht_restrict_search_ips, false);
	pack.set_bool(lt::settings_pack::dht_prefer_verified_node_ids, false);
	pack.set_bool(lt::settings_pack::dht_enforce_node_id, false);
	pack.set_bool(lt::settings_pack::dht_ignore_dark_internet, false);
	// It leaves in a moment: a node that others keep would cost the next run libtorrent's time-outs.
	pack.set_bool(lt::settings_pack::dht_read_only, true);
	pack.set_int(lt::settings_pack::dht_block_ratelimit, 100000);
	return lt::session_params(pack);
}

// Calls `each` with every alert until it returns true or the time is over.
static bool wait(lt::session& session, int seconds, std::function<bool(lt::alert*)> each)
{
	auto const end = steady_clock::now() + std::chrono::seconds(seconds);
	while (steady_clock::now() < end)
	{
		session.wait_for_alert(std::chrono::milliseconds(200));
		std::vector<lt::alert*> alerts;
		session.pop_alerts(&alerts);
		for (auto* alert : alerts) if (each(alert)) return true;
	}
	return false;
}

static int put(lt::session& session, std::string const& salt, char const* ih, char const* seedHex)
{
	std::array<char, 32> seed{};
	std::memcpy(seed.data(), unhex(seedHex).data(), 32);
	auto const pair = lt::dht::ed25519_create_keypair(seed);
	lt::dht::public_key const pk = std::get<0>(pair);
	lt::dht::secret_key const sk = std::get<1>(pair);
	std::string const hash = unhex(ih);
	session.dht_put_item(pk.bytes, [=](lt::entry& item, std::array<char, 64>& signature
		, std::int64_t& seq, std::string const& itemSalt)
	{
		lt::entry fresh;
		fresh["ih"] = hash;
		item = fresh;
		std::vector<char> encoded;
		lt::bencode(std::back_inserter(encoded), item);
		++seq;
		signature = lt::dht::sign_mutable_item(encoded, itemSalt
			, lt::dht::sequence_number(seq), pk, sk).bytes;
	}, salt);
	return wait(session, 20, [&](lt::alert* alert)
	{
		auto* done = lt::alert_cast<lt::dht_put_alert>(alert);
		if (!done) return false;
		std::printf("{\"key\":\"%s\",\"seq\":%lld,\"stored\":%d}\n"
			, hex(pk.bytes.data(), 32).c_str(), (long long)done->seq, done->num_success);
		return true;
	}) ? 0 : 1;
}

static int get(lt::session& session, std::string const& salt, char const* keyHex)
{
	std::array<char, 32> key{};
	std::memcpy(key.data(), unhex(keyHex).data(), 32);
	session.dht_get_item(key, salt);
	return wait(session, 20, [&](lt::alert* alert)
	{
		auto* found = lt::alert_cast<lt::dht_mutable_item_alert>(alert);
		if (!found || !found->authoritative) return false;
		std::string ih;
		if (found->item.type() == lt::entry::dictionary_t)
			if (auto* value = found->item.find_key("ih")) ih = value->string();
		std::printf("{\"ih\":\"%s\",\"seq\":%lld}\n"
			, hex(ih.data(), ih.size()).c_str(), (long long)found->seq);
		return true;
	}) ? 0 : 1;
}

int main(int argc, char** argv)
{
	if (argc < 6) return 2;
	lt::session session(params(argv[2], argv[3]));
	wait(session, 10, [](lt::alert* alert)
	{
		return lt::alert_cast<lt::dht_bootstrap_alert>(alert) != nullptr;
	});
	bool const putting = std::strcmp(argv[1], "put") == 0 && argc == 7;
	int const code = putting ? put(session, argv[4], argv[5], argv[6]) : get(session, argv[4], argv[5]);
	std::fflush(stdout);
	return code;
}
