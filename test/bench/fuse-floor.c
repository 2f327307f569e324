/*
 * The floor that the mount is measured against, and the client that measures both.
 *
 *   fuse-floor serve DIR            an in-memory tree on libfuse 3 (low level, one thread), no caching, direct I/O
 *   fuse-floor measure DIR NAME N   one kind of operation N times in DIR; prints "p50 p99 total_ns" in nanoseconds
 *   fuse-floor commit DIR N         create + write + fsync + rename, N times, each under a new name
 *
 * Build: cc -O2 -o fuse-floor fuse-floor.c $(pkg-config --cflags --libs fuse3)
 */
#define FUSE_USE_VERSION 312
#define _GNU_SOURCE
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <fuse_lowlevel.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#define BUCKETS 4096

struct node {
	struct node *next;      /* in the parent's bucket */
	struct node *order_next, *order_prev;
	struct node **buckets;  /* of a directory */
	struct node *first, *last;
	char *name;
	mode_t mode;
	char *data;
	size_t size, room;
	uint64_t lookups;
	int linked;
	struct timespec mtime;
};

static struct node root;

static unsigned hash(const char *text)
{
	unsigned value = 5381;
	while (*text) value = value * 33 ^ (unsigned char)*text++;
	return value % BUCKETS;
}

static struct node *get(fuse_ino_t ino) { return ino == FUSE_ROOT_ID ? &root : (struct node *)(uintptr_t)ino; }

static void make_directory(struct node *node) { node->buckets = calloc(BUCKETS, sizeof *node->buckets); }

static struct node *find(struct node *directory, const char *name)
{
	struct node *child = directory->buckets[hash(name)];
	while (child && strcmp(child->name, name)) child = child->next;
	return child;
}

static struct node *add(struct node *directory, const char *name, mode_t mode)
{
	struct node *node = calloc(1, sizeof *node);
	unsigned bucket = hash(name);
	node->name = strdup(name);
	node->mode = mode;
	node->linked = 1;
	node->next = directory->buckets[bucket];
	directory->buckets[bucket] = node;
	node->order_prev = directory->last;
	if (directory->last) directory->last->order_next = node; else directory->first = node;
	directory->last = node;
	clock_gettime(CLOCK_REALTIME, &node->mtime);
	if (S_ISDIR(mode)) make_directory(node);
	return node;
}

static void drop(struct node *node)
{
	if (node->linked || node->lookups || node == &root) return;
	free(node->buckets); free(node->data); free(node->name); free(node);
}

static void detach(struct node *directory, struct node *node)
{
	struct node **slot = &directory->buckets[hash(node->name)];
	while (*slot != node) slot = &(*slot)->next;
	*slot = node->next;
	if (node->order_prev) node->order_prev->order_next = node->order_next; else directory->first = node->order_next;
	if (node->order_next) node->order_next->order_prev = node->order_prev; else directory->last = node->order_prev;
	node->linked = 0;
	drop(node);
}

static void attributes(struct node *node, struct stat *st)
{
	memset(st, 0, sizeof *st);
	st->st_ino = node == &root ? 1 : (ino_t)(uintptr_t)node;
	st->st_mode = node->mode;
	st->st_nlink = S_ISDIR(node->mode) ? 2 : 1;
	st->st_size = node->size;
	st->st_blocks = (node->size + 511) / 512;
	st->st_blksize = 4096;
	st->st_mtim = st->st_atim = st->st_ctim = node->mtime;
}

static void fill(struct node *node, struct fuse_entry_param *entry)
{
	memset(entry, 0, sizeof *entry);
	entry->ino = (fuse_ino_t)(uintptr_t)node;
	attributes(node, &entry->attr);
	node->lookups++;
}

static void op_lookup(fuse_req_t req, fuse_ino_t parent, const char *name)
{
	struct fuse_entry_param entry;
	struct node *node = find(get(parent), name);
	if (!node) { fuse_reply_err(req, ENOENT); return; }
	fill(node, &entry);
	fuse_reply_entry(req, &entry);
}

static void op_forget(fuse_req_t req, fuse_ino_t ino, uint64_t count)
{
	struct node *node = get(ino);
	if (node != &root) { node->lookups -= count; drop(node); }
	fuse_reply_none(req);
}

static void op_forget_multi(fuse_req_t req, size_t count, struct fuse_forget_data *forgets)
{
	for (size_t i = 0; i < count; i++) {
		struct node *node = get(forgets[i].ino);
		if (node != &root) { node->lookups -= forgets[i].nlookup; drop(node); }
	}
	fuse_reply_none(req);
}

static void op_getattr(fuse_req_t req, fuse_ino_t ino, struct fuse_file_info *fi)
{
	struct stat st;
	(void)fi;
	attributes(get(ino), &st);
	fuse_reply_attr(req, &st, 0);
}

static int resize(struct node *node, size_t size)
{
	if (size > node->room) {
		size_t room = node->room * 2 > size ? node->room * 2 : size;
		char *data = realloc(node->data, room);
		if (!data) return ENOSPC;
		memset(data + node->room, 0, room - node->room);
		node->data = data;
		node->room = room;
	}
	node->size = size;
	return 0;
}

static void op_setattr(fuse_req_t req, fuse_ino_t ino, struct stat *attr, int valid, struct fuse_file_info *fi)
{
	struct node *node = get(ino);
	if (valid & FUSE_SET_ATTR_SIZE) resize(node, attr->st_size);
	op_getattr(req, ino, fi);
}

static void op_open(fuse_req_t req, fuse_ino_t ino, struct fuse_file_info *fi)
{
	fi->direct_io = 1;
	if (fi->flags & O_TRUNC) resize(get(ino), 0);
	fuse_reply_open(req, fi);
}

static void op_create(fuse_req_t req, fuse_ino_t parent, const char *name, mode_t mode, struct fuse_file_info *fi)
{
	struct fuse_entry_param entry;
	fill(add(get(parent), name, S_IFREG | mode), &entry);
	fi->direct_io = 1;
	fuse_reply_create(req, &entry, fi);
}

static void op_mkdir(fuse_req_t req, fuse_ino_t parent, const char *name, mode_t mode)
{
	struct fuse_entry_param entry;
	fill(add(get(parent), name, S_IFDIR | mode), &entry);
	fuse_reply_entry(req, &entry);
}

static void op_read(fuse_req_t req, fuse_ino_t ino, size_t size, off_t offset, struct fuse_file_info *fi)
{
	struct node *node = get(ino);
	(void)fi;
	if ((size_t)offset >= node->size) { fuse_reply_buf(req, NULL, 0); return; }
	size_t left = node->size - offset;
	fuse_reply_buf(req, node->data + offset, left < size ? left : size);
}

static void op_write(fuse_req_t req, fuse_ino_t ino, const char *data, size_t size, off_t offset, struct fuse_file_info *fi)
{
	struct node *node = get(ino);
	(void)fi;
	if (offset + size > node->size) resize(node, offset + size);
	memcpy(node->data + offset, data, size);
	clock_gettime(CLOCK_REALTIME, &node->mtime);
	fuse_reply_write(req, size);
}

static void op_unlink(fuse_req_t req, fuse_ino_t parent, const char *name)
{
	struct node *directory = get(parent), *node = find(directory, name);
	if (node) detach(directory, node);
	fuse_reply_err(req, node ? 0 : ENOENT);
}

static void op_nothing(fuse_req_t req, fuse_ino_t ino, struct fuse_file_info *fi) { (void)ino; (void)fi; fuse_reply_err(req, 0); }

struct listing { size_t size, room; char *data; };

static void append(fuse_req_t req, struct listing *list, const char *name, struct stat *st)
{
	size_t need = fuse_add_direntry(req, NULL, 0, name, NULL, 0);
	if (list->size + need > list->room) {
		list->room = (list->room + need) * 2;
		list->data = realloc(list->data, list->room);
	}
	fuse_add_direntry(req, list->data + list->size, list->room - list->size, name, st, list->size + need);
	list->size += need;
}

static void op_opendir(fuse_req_t req, fuse_ino_t ino, struct fuse_file_info *fi)
{
	struct listing *list = calloc(1, sizeof *list);
	struct stat st;
	attributes(get(ino), &st);
	append(req, list, ".", &st);
	append(req, list, "..", &st);
	for (struct node *node = get(ino)->first; node; node = node->order_next) {
		attributes(node, &st);
		append(req, list, node->name, &st);
	}
	fi->fh = (uintptr_t)list;
	fuse_reply_open(req, fi);
}

static void op_readdir(fuse_req_t req, fuse_ino_t ino, size_t size, off_t offset, struct fuse_file_info *fi)
{
	struct listing *list = (struct listing *)(uintptr_t)fi->fh;
	(void)ino;
	if ((size_t)offset >= list->size) { fuse_reply_buf(req, NULL, 0); return; }
	/* Whole records only: `off` of the last one that fits ends the piece. */
	size_t end = offset;
	while (end < list->size) {
		uint32_t length;
		memcpy(&length, list->data + end + 16, 4);
		size_t record = (24 + length + 7) & ~(size_t)7;
		if (end + record - offset > size) break;
		end += record;
	}
	fuse_reply_buf(req, list->data + offset, end - offset);
}

static void op_releasedir(fuse_req_t req, fuse_ino_t ino, struct fuse_file_info *fi)
{
	struct listing *list = (struct listing *)(uintptr_t)fi->fh;
	(void)ino;
	free(list->data);
	free(list);
	fuse_reply_err(req, 0);
}

static const struct fuse_lowlevel_ops ops = {
	.lookup = op_lookup, .forget = op_forget, .forget_multi = op_forget_multi, .getattr = op_getattr,
	.setattr = op_setattr, .open = op_open, .create = op_create, .mkdir = op_mkdir, .read = op_read,
	.write = op_write, .unlink = op_unlink, .flush = op_nothing, .release = op_nothing,
	.opendir = op_opendir, .readdir = op_readdir, .releasedir = op_releasedir,
};

static int serve(const char *at)
{
	char *argv[] = { "fuse-floor", "-o", "default_permissions,allow_other,fsname=floor", NULL };
	struct fuse_args args = FUSE_ARGS_INIT(3, argv);
	root.mode = S_IFDIR | 0777;
	root.linked = 1;
	clock_gettime(CLOCK_REALTIME, &root.mtime);
	make_directory(&root);
	struct fuse_session *session = fuse_session_new(&args, &ops, sizeof ops, NULL);
	if (!session || fuse_set_signal_handlers(session) || fuse_session_mount(session, at)) return 1;
	puts("ready");
	fflush(stdout);
	int result = fuse_session_loop(session);
	fuse_session_unmount(session);
	return result < 0;
}

static uint64_t now(void)
{
	struct timespec time;
	clock_gettime(CLOCK_MONOTONIC, &time);
	return (uint64_t)time.tv_sec * 1000000000u + time.tv_nsec;
}

static int compare(const void *a, const void *b)
{
	uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;
	return x < y ? -1 : x > y;
}

static void report(uint64_t *times, size_t count)
{
	uint64_t total = 0;
	for (size_t i = 0; i < count; i++) total += times[i];
	qsort(times, count, sizeof *times, compare);
	printf("%llu %llu %llu\n", (unsigned long long)times[count / 2], (unsigned long long)times[count * 99 / 100],
	       (unsigned long long)total);
}

#define CHECK(condition) do { if (!(condition)) { perror(#condition); exit(1); } } while (0)

static int measure(const char *at, const char *kind, size_t count)
{
	static char block[1 << 20];
	struct stat st;
	uint64_t *times = malloc(count * sizeof *times);
	CHECK(chdir(at) == 0);
	memset(block, 'x', sizeof block);
	int fd = open("file", O_RDWR | O_CREAT, 0644);
	CHECK(fd >= 0 && pwrite(fd, block, 4096, 0) == 4096);
	if (!strcmp(kind, "readdir")) {
		mkdir("many", 0755);
		for (int i = 0; i < 1000; i++) {
			snprintf(block, 64, "many/entry-%04d", i);
			close(open(block, O_CREAT | O_WRONLY, 0644));
		}
	}
	int big = -1;
	if (!strncmp(kind, "seq", 3)) {
		big = open("big", O_RDWR | O_CREAT, 0644);
		for (int i = 0; i < 64; i++) CHECK(pwrite(big, block, sizeof block, (off_t)i << 20) == sizeof block);
	}
	for (size_t i = 0; i < count; i++) {
		uint64_t start = now();
		if (!strcmp(kind, "fstat")) CHECK(fstat(fd, &st) == 0);
		else if (!strcmp(kind, "stat")) CHECK(stat("file", &st) == 0);
		else if (!strcmp(kind, "openread")) {
			int other = open("file", O_RDONLY);
			CHECK(other >= 0 && read(other, block, 4096) == 4096 && close(other) == 0);
		}
		else if (!strcmp(kind, "pread")) CHECK(pread(fd, block, 4096, 0) == 4096);
		else if (!strcmp(kind, "pwrite")) CHECK(pwrite(fd, block, 4096, 0) == 4096);
		else if (!strcmp(kind, "create")) {
			int other = open("new", O_CREAT | O_EXCL | O_WRONLY, 0644);
			CHECK(other >= 0 && write(other, block, 4096) == 4096 && close(other) == 0 && unlink("new") == 0);
		}
		else if (!strcmp(kind, "readdir")) {
			DIR *dir = opendir("many");
			int entries = 0;
			while (readdir(dir)) entries++;
			closedir(dir);
			CHECK(entries == 1002);
		}
		else if (!strcmp(kind, "seqread")) for (int j = 0; j < 64; j++) CHECK(pread(big, block, sizeof block, (off_t)j << 20) == sizeof block);
		else if (!strcmp(kind, "seqwrite")) for (int j = 0; j < 64; j++) CHECK(pwrite(big, block, sizeof block, (off_t)j << 20) == sizeof block);
		else CHECK(!"a known operation");
		times[i] = now() - start;
	}
	report(times, count);
	return 0;
}

static int commit(const char *at, size_t count)
{
	static const char body[] = "{\"messages\":[{\"role\":\"user\",\"content\":\"measure\"}]}";
	uint64_t *times = malloc(count * sizeof *times);
	char staged[64], final[64];
	CHECK(chdir(at) == 0);
	for (size_t i = 0; i < count; i++) {
		snprintf(staged, sizeof staged, "c%d-%zu.tmp", getpid(), i);
		snprintf(final, sizeof final, "c%d-%zu.req.json", getpid(), i);
		uint64_t start = now();
		int fd = open(staged, O_CREAT | O_WRONLY | O_TRUNC, 0644);
		CHECK(fd >= 0 && write(fd, body, sizeof body - 1) == sizeof body - 1 && fsync(fd) == 0 && close(fd) == 0);
		CHECK(rename(staged, final) == 0);
		times[i] = now() - start;
	}
	report(times, count);
	return 0;
}

int main(int argc, char **argv)
{
	if (argc == 3 && !strcmp(argv[1], "serve")) return serve(argv[2]);
	if (argc == 5 && !strcmp(argv[1], "measure")) return measure(argv[2], argv[3], strtoul(argv[4], NULL, 10));
	if (argc == 4 && !strcmp(argv[1], "commit")) return commit(argv[2], strtoul(argv[3], NULL, 10));
	fprintf(stderr, "usage: fuse-floor serve DIR | measure DIR NAME N | commit DIR N\n");
	return 2;
}
