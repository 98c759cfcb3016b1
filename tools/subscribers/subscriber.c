/* Instruments as they begin and end, in C with libzmq and a reader of msgpack.
 *
 *   cc -O2 -Wall -o subscriber tools/subscribers/subscriber.c -lzmq
 *   ./subscriber tcp://127.0.0.1:5550
 */
#include <inttypes.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <zmq.h>

static volatile sig_atomic_t ended;

static void end(int number)
{
    (void)number;
    ended = 1;
}

/* ---- msgpack: a cursor over bytes; whatever is cut short or unknown sets `bad` ---- */

typedef struct {
    const uint8_t *at, *stop;
    int bad;
} reader;

static uint64_t number(reader *in, int n_bytes)
{
    uint64_t value = 0;
    if (in->stop - in->at < n_bytes) {
        in->bad = 1;
        return 0;
    }
    while (n_bytes--)
        value = value << 8 | *in->at++;
    return value;
}

/* The size of the text that follows, -1 if something else follows (nothing is read then). */
static int64_t text_size(reader *in)
{
    const uint8_t *before = in->at;
    uint8_t code = (uint8_t)number(in, 1);
    if (!in->bad && (code & 0xe0) == 0xa0)
        return code & 31;
    if (!in->bad && code >= 0xd9 && code <= 0xdb)
        return (int64_t)number(in, 1 << (code - 0xd9));
    in->at = before;
    return -1;
}

/* Copies a text of the map, cut to the room there is; 0 if it is none. */
static int text(reader *in, char *to, size_t room)
{
    int64_t size = text_size(in);
    if (size < 0 || in->stop - in->at < size) {
        in->bad = 1;
        return 0;
    }
    size_t n = (size_t)size < room - 1 ? (size_t)size : room - 1;
    memcpy(to, in->at, n);
    to[n] = 0;
    in->at += size;
    return 1;
}

static double real(reader *in)
{
    uint8_t code = (uint8_t)number(in, 1);
    if (code < 0x80)
        return code;
    if (code >= 0xe0)
        return (int8_t)code;
    if (code == 0xca) {
        uint32_t bits = (uint32_t)number(in, 4);
        float value;
        memcpy(&value, &bits, sizeof value);
        return value;
    }
    if (code == 0xcb) {
        uint64_t bits = number(in, 8);
        double value;
        memcpy(&value, &bits, sizeof value);
        return value;
    }
    if (code >= 0xcc && code <= 0xcf)
        return (double)number(in, 1 << (code - 0xcc));
    if (code >= 0xd0 && code <= 0xd3) {
        int n_bytes = 1 << (code - 0xd0);
        int shift = 64 - 8 * n_bytes;
        return (double)((int64_t)(number(in, n_bytes) << shift) >> shift);
    }
    in->bad = 1;
    return 0;
}

static void skip(reader *in, int depth)
{
    int64_t size = text_size(in);
    if (size >= 0) {
        if (in->stop - in->at < size)
            in->bad = 1;
        else
            in->at += size;
        return;
    }
    uint8_t code = in->at < in->stop ? *in->at : 0xc1;
    uint64_t items = 0;
    if ((code & 0xf0) == 0x80 || code == 0xde || code == 0xdf) {
        in->at++;
        items = 2 * (code == 0xde ? number(in, 2) : code == 0xdf ? number(in, 4) : code & 15u);
    } else if ((code & 0xf0) == 0x90 || code == 0xdc || code == 0xdd) {
        in->at++;
        items = code == 0xdc ? number(in, 2) : code == 0xdd ? number(in, 4) : code & 15u;
    } else if (code == 0xc0 || code == 0xc2 || code == 0xc3) {
        in->at++;
    } else {
        real(in);
    }
    if (items && depth > 8)
        in->bad = 1;
    for (; items && !in->bad; items--)
        skip(in, depth + 1);
}

/* ---- the event ---- */

typedef struct {
    char session[32], source[256], event[8], label[64];
    double seq, time_s;
} event;

static int read_event(const void *data, size_t size, event *found)
{
    reader in = {data, (const uint8_t *)data + size, 0};
    uint8_t code = (uint8_t)number(&in, 1);
    uint64_t fields = (code & 0xf0) == 0x80 ? code & 15u : code == 0xde ? number(&in, 2) : 0;
    memset(found, 0, sizeof *found);
    for (; fields && !in.bad; fields--) {
        char name[32];
        if (!text(&in, name, sizeof name))
            break;
        if (!strcmp(name, "session"))
            text(&in, found->session, sizeof found->session);
        else if (!strcmp(name, "source"))
            text(&in, found->source, sizeof found->source);
        else if (!strcmp(name, "event"))
            text(&in, found->event, sizeof found->event);
        else if (!strcmp(name, "label"))
            text(&in, found->label, sizeof found->label);
        else if (!strcmp(name, "seq"))
            found->seq = real(&in);
        else if (!strcmp(name, "time_s"))
            found->time_s = real(&in);
        else
            skip(&in, 0); /* fields may be added */
    }
    return !in.bad && found->event[0] && found->label[0];
}

/* The highest seq of each source; 1 if the message is new, 0 if it was sent again for a newcomer. */
static int is_new(const event *found)
{
    static struct {
        char session[32], source[256];
        double seq;
    } seen[64];
    for (int i = 0; i < 64; i++) {
        if (seen[i].source[0] && strcmp(seen[i].source, found->source))
            continue;
        int same = !strcmp(seen[i].session, found->session) && seen[i].source[0];
        if (same && found->seq <= seen[i].seq)
            return 0;
        memcpy(seen[i].session, found->session, sizeof found->session);
        memcpy(seen[i].source, found->source, sizeof found->source);
        seen[i].seq = found->seq;
        return 1;
    }
    return 1;
}

int main(int argc, char **argv)
{
    const char *address = argc > 1 ? argv[1] : "tcp://127.0.0.1:5550";
    const char *topic = "mmgat/v2/event/";
    int heartbeat_ms = 3000;
    int64_t most_bytes = 1 << 20;
    void *context = zmq_ctx_new(), *socket = zmq_socket(context, ZMQ_SUB);

    zmq_setsockopt(socket, ZMQ_HEARTBEAT_IVL, &heartbeat_ms, sizeof heartbeat_ms);
    zmq_setsockopt(socket, ZMQ_MAXMSGSIZE, &most_bytes, sizeof most_bytes);
    zmq_setsockopt(socket, ZMQ_SUBSCRIBE, topic, strlen(topic));
    if (zmq_connect(socket, address)) {
        fprintf(stderr, "expected an address such as tcp://127.0.0.1:5550, found %s (%s)\n", address,
                zmq_strerror(zmq_errno()));
        return 1;
    }
    struct sigaction action = {.sa_handler = end};
    sigaction(SIGINT, &action, NULL);
    sigaction(SIGTERM, &action, NULL);
    while (!ended) {
        zmq_msg_t frame;
        int n_frames = 0, more = 1;
        event found;
        while (more) {
            zmq_msg_init(&frame);
            if (zmq_msg_recv(&frame, socket, 0) < 0)
                break;
            more = zmq_msg_more(&frame);
            if (++n_frames == 2 && !more && read_event(zmq_msg_data(&frame), zmq_msg_size(&frame), &found)
                && is_new(&found)) {
                printf("%8.2f s  %s %s (%s)\n", found.time_s, found.label, found.event, found.source);
                fflush(stdout);
            }
            zmq_msg_close(&frame);
        }
    }
    zmq_close(socket);
    zmq_ctx_term(context);
    return 0;
}
