/*
 * Announces over UDP (BEP 15) as fast as the tracker answers, at a fixed rate, or each peer once.
 *
 *   udp-announces PORT load SECONDS TORRENTS PEERS WINDOW
 *   udp-announces PORT rate SECONDS TORRENTS PEERS PER_SECOND
 *   udp-announces PORT fill TORRENTS PEERS WINDOW
 *
 * PEERS are of each torrent, all on 127.0.0.1. Prints one JSON object.
 */
#include <arpa/inet.h>
#include <poll.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#define RING 65536
#define LOST_NS 500000000ull

static int sock;
static uint8_t connection[8];
static uint64_t sent_at[RING];
static float *latencies;
static uint32_t sent, answered, lost, errors;
static uint64_t bytes;

static uint64_t now_ns(void) {
  struct timespec t;
  clock_gettime(CLOCK_MONOTONIC, &t);
  return (uint64_t)t.tv_sec * 1000000000ull + (uint64_t)t.tv_nsec;
}

static void put32(uint8_t *at, uint32_t value) {
  value = htonl(value);
  memcpy(at, &value, 4);
}

static uint32_t get32(const uint8_t *at) {
  uint32_t value;
  memcpy(&value, at, 4);
  return ntohl(value);
}

/* bench/tracker.ts makes the same infohashes for opentracker's list. */
static void infohash(uint8_t *at, uint32_t number) {
  uint32_t mixed = (number + 1) * 2654435761u;
  for (uint32_t i = 0; i < 5; i++) put32(at + 4 * i, (mixed ^ (i * 0x9e3779b9u)) * 2246822519u);
}

static void connect_tracker(void) {
  uint8_t packet[16] = {0, 0, 4, 0x17, 0x27, 0x10, 0x19, 0x80};
  uint8_t reply[64];
  for (int tries = 0; tries < 20; tries++) {
    send(sock, packet, 16, 0);
    struct pollfd waiting = {sock, POLLIN, 0};
    if (poll(&waiting, 1, 200) > 0 && recv(sock, reply, 64, 0) == 16) {
      memcpy(connection, reply + 8, 8);
      return;
    }
  }
  fprintf(stderr, "the tracker does not answer\n");
  exit(1);
}

static void announce(uint32_t torrent, uint32_t peer) {
  uint8_t packet[98] = {0};
  uint32_t transaction = sent++;
  memcpy(packet, connection, 8);
  put32(packet + 8, 1);
  put32(packet + 12, transaction);
  infohash(packet + 16, torrent);
  memcpy(packet + 36, "-TR3000-", 8);
  put32(packet + 44, torrent);
  put32(packet + 48, peer);
  put32(packet + 52, torrent ^ peer);
  put32(packet + 68, peer % 5 == 0 ? 0 : 1000);
  put32(packet + 80, 2);
  put32(packet + 88, torrent * 31 + peer + 1);
  put32(packet + 92, 50);
  packet[96] = (uint8_t)((1024 + peer) >> 8);
  packet[97] = (uint8_t)(1024 + peer);
  sent_at[transaction % RING] = now_ns();
  send(sock, packet, 98, 0);
}

/* Takes what is there, waiting at most so long for the first. */
static void take(int wait_ms) {
  uint8_t reply[2048];
  struct pollfd waiting = {sock, POLLIN, 0};
  if (poll(&waiting, 1, wait_ms) <= 0) return;
  for (;;) {
    ssize_t length = recv(sock, reply, sizeof reply, MSG_DONTWAIT);
    if (length < 0) return;
    if (length < 8 || get32(reply) != 1) {
      errors++;
      continue;
    }
    uint32_t transaction = get32(reply + 4);
    uint64_t at = sent_at[transaction % RING];
    if (at == 0) continue;
    sent_at[transaction % RING] = 0;
    if (latencies) latencies[answered] = (float)(now_ns() - at) / 1e6f;
    answered++;
    bytes += (uint64_t)length;
  }
}

static int ascending(const void *a, const void *b) {
  float left = *(const float *)a, right = *(const float *)b;
  return left < right ? -1 : left > right;
}

int main(int argc, char **argv) {
  if (argc < 6) return 2;
  struct sockaddr_in to = {.sin_family = AF_INET, .sin_port = htons((uint16_t)atoi(argv[1]))};
  to.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  int room = 4 << 20;
  sock = socket(AF_INET, SOCK_DGRAM, 0);
  setsockopt(sock, SOL_SOCKET, SO_RCVBUF, &room, sizeof room);
  if (connect(sock, (struct sockaddr *)&to, sizeof to) != 0) return 1;
  connect_tracker();
  int fill = strcmp(argv[2], "fill") == 0;
  int rated = strcmp(argv[2], "rate") == 0;
  uint64_t seconds = fill ? 600 : (uint64_t)atoi(argv[3]);
  uint32_t torrents = (uint32_t)atoi(argv[fill ? 3 : 4]);
  uint32_t peers = (uint32_t)atoi(argv[fill ? 4 : 5]);
  uint32_t pace = (uint32_t)atoi(argv[fill ? 5 : 6]);
  uint64_t start = now_ns(), end = start + seconds * 1000000000ull;
  uint64_t connected = start, moved = start;
  if (rated) latencies = calloc(pace * (seconds + 1), sizeof *latencies);
  srand(1);
  for (uint64_t now = start; now < end; now = now_ns()) {
    if (now - connected > 50000000000ull) {
      connect_tracker();
      connected = now;
    }
    if (rated) {
      uint64_t due = (now - start) * pace / 1000000000ull;
      while (sent < due) announce((uint32_t)rand() % torrents, (uint32_t)rand() % peers);
      take(1);
      continue;
    }
    if (fill && answered + lost >= torrents * peers) break;
    uint32_t before = answered;
    while (sent - answered - lost < pace && (!fill || sent < torrents * peers)) {
      if (fill) announce(sent % torrents, sent / torrents);
      else announce((uint32_t)rand() % torrents, (uint32_t)rand() % peers);
    }
    take(20);
    if (answered != before) moved = now;
    if (now - moved > LOST_NS) {
      lost = sent - answered;
      moved = now;
    }
  }
  double took = (double)(now_ns() - start) / 1e9;
  take(100);
  printf("{\"answered\":%u,\"perSecond\":%.0f,\"errors\":%u,\"unanswered\":%u,\"replyBytes\":%.0f",
         answered, answered / took, errors, sent - answered, answered ? (double)bytes / answered : 0);
  if (latencies && answered > 0) {
    qsort(latencies, answered, sizeof *latencies, ascending);
    printf(",\"p50\":%.3f,\"p99\":%.3f", latencies[answered / 2],
           latencies[(uint64_t)answered * 99 / 100]);
  }
  printf("}\n");
  return 0;
}
