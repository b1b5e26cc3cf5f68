// SPDX-License-Identifier: GPL-2.0-only
/*
 * The file of --overrides: metadata that is to be other than in the source.  One
 * path a line, with what is to be set:
 *
 *	PATH mode=0755 uid=0 gid=0 dev=c:1:3 xattr.user.note=text
 *
 * mkfs.btrfs(8) describes it.  Every mistake is told with its line.
 */
#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/sysmacros.h>

#include "common/message.h"
#include "common/string-utils.h"
#include "mkfs/source-tree.h"

#define BLANKS		" \t"
#define MAX_NAME	255U
#define MAX_MINOR	((1U << 20) - 1)
#define MAX_MAJOR	((1U << 12) - 1)

struct overrides {
	struct source_tree *tree;
	const char *path;	/* of the file, for messages */
	unsigned long line;
};

/* A word of a line, its escapes replaced. */
struct word {
	char *text;		/* terminated; may hold zeros besides */
	size_t len;
};

static int bad_line(const struct overrides *over, const char *what, const char *word)
{
	char shown[512];

	escape_path(word, strlen(word), shown, sizeof(shown));
	error("%s:%lu: %s: %s", over->path, over->line, what, shown);
	return -EINVAL;
}

/* ---- words ---- */

static bool is_octal(char c)
{
	return c >= '0' && c <= '7';
}

/* Replace \NNN and \\ in place.  False: another escape, or a value beyond a byte. */
static bool unescape(struct word *word)
{
	char *out = word->text;
	const char *in = word->text;

	while (*in) {
		unsigned int value;

		if (*in != '\\') {
			*out++ = *in++;
			continue;
		}
		if (in[1] == '\\') {
			*out++ = '\\';
			in += 2;
			continue;
		}
		if (!is_octal(in[1]) || !is_octal(in[2]) || !is_octal(in[3]))
			return false;
		value = (unsigned int)(in[1] - '0') << 6 | (unsigned int)(in[2] - '0') << 3 |
			(unsigned int)(in[3] - '0');
		if (value > 255)
			return false;
		*out++ = (char)value;
		in += 4;
	}
	*out = '\0';
	word->len = (size_t)(out - word->text);
	return true;
}

/* The next word of the line at *@pos; 0: none is left. */
static int next_word(const struct overrides *over, char **pos, struct word *word)
{
	char *end;

	*pos += strspn(*pos, BLANKS);
	if (!**pos)
		return 0;
	word->text = *pos;
	end = *pos + strcspn(*pos, BLANKS);
	*pos = *end ? end + 1 : end;
	*end = '\0';
	return unescape(word) ? 1 : bad_line(over, "a backslash must be followed by three "
					     "octal digits or a backslash", word->text);
}

/* ---- what is set ---- */

static bool parse_octal(const char *text, u32 *value)
{
	char *end;
	unsigned long mode;

	if (!is_octal(*text))
		return false;
	mode = strtoul(text, &end, 8);
	*value = (u32)mode;
	return !*end && mode <= 07777;
}

static int set_mode(struct overrides *over, struct source_inode *inode, const char *value)
{
	u32 mode;

	if (!parse_octal(value, &mode))
		return bad_line(over, "no octal mode up to 7777", value);
	inode->mode = (inode->mode & S_IFMT) | mode;
	return 0;
}

static int set_id(struct overrides *over, const char *value, u32 *id)
{
	u64 number;

	if (parse_u64(value, &number) || number >= UINT_MAX)
		return bad_line(over, "no numeric id", value);
	*id = (u32)number;
	return 0;
}

/* "c:1:3" */
static bool parse_device(char *text, u32 *type, u64 *rdev)
{
	u64 major_nr, minor_nr;
	char *colon;

	if ((text[0] != 'c' && text[0] != 'b') || text[1] != ':')
		return false;
	*type = text[0] == 'c' ? S_IFCHR : S_IFBLK;
	text += 2;
	colon = strchr(text, ':');
	if (!colon)
		return false;
	*colon = '\0';
	if (parse_u64(text, &major_nr) || parse_u64(colon + 1, &minor_nr) ||
	    major_nr > MAX_MAJOR || minor_nr > MAX_MINOR) {
		*colon = ':';
		return false;
	}
	*rdev = makedev((unsigned int)major_nr, (unsigned int)minor_nr);
	return true;
}

static int set_device(struct overrides *over, struct source_inode *inode, char *value)
{
	u32 type;
	u64 rdev;

	if (!parse_device(value, &type, &rdev))
		return bad_line(over, "no device like c:1:3 or b:8:0", value);
	if (S_ISDIR(inode->mode))
		return bad_line(over, "a directory cannot become a device", value);
	over->tree->source.data_bytes -= inode->data_bytes;
	inode->mode = (inode->mode & 07777) | type;
	inode->rdev = rdev;
	inode->size = 0;
	inode->data_bytes = 0;
	return 0;
}

/* ---- xattrs ---- */

static int hex_digit(char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	c |= 0x20;
	return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

/* Turn "0x6162" into its bytes, in place; any other text stays.  False: bad digits. */
static bool decode_value(char *value, size_t *len)
{
	const char *in = value + 2;

	if (*len < 2 || value[0] != '0' || (value[1] | 0x20) != 'x')
		return true;
	*len -= 2;
	if (!*len || *len % 2)
		return false;
	*len /= 2;
	for (size_t i = 0; i < *len; i++, in += 2) {
		int high = hex_digit(in[0]), low = hex_digit(in[1]);

		if (high < 0 || low < 0)
			return false;
		value[i] = (char)(high << 4 | low);
	}
	return true;
}

static bool known_namespace(const char *name)
{
	static const char *const prefixes[] = { "user.", "trusted.", "security." };

	for (size_t i = 0; i < ARRAY_SIZE(prefixes); i++)
		if (string_has_prefix(name, prefixes[i]) && name[strlen(prefixes[i])])
			return true;
	return !strcmp(name, "system.posix_acl_access") ||
	       !strcmp(name, "system.posix_acl_default") || !strcmp(name, "btrfs.compression");
}

/* Without value (@len 0) the xattr goes. */
static int change_xattr(struct source_tree *tree, struct source_inode *inode, const char *name,
			const void *value, size_t len)
{
	const struct source_xattr xattr = {
		.name = name,
		.name_len = (u16)strlen(name),
		.value = value,
		.value_len = (u32)len,
	};
	struct vec xattrs = VEC_INIT(struct source_xattr);
	int ret = 0;

	for (u32 i = 0; i < inode->nr_xattrs && !ret; i++)
		if (inode->xattrs[i].name_len != xattr.name_len ||
		    memcmp(inode->xattrs[i].name, name, xattr.name_len))
			ret = vec_push_copy(&xattrs, &inode->xattrs[i]);
	if (!ret && len)
		ret = vec_push_copy(&xattrs, &xattr);
	if (!ret)
		ret = source_set_xattrs(tree, inode, xattrs.data, (u32)xattrs.nr);
	vec_free(&xattrs);
	return ret;
}

static int set_xattr(struct overrides *over, struct source_inode *inode, const char *name,
		     char *value, size_t len)
{
	if (strlen(name) > MAX_NAME || !known_namespace(name))
		return bad_line(over, "no name of an xattr", name);
	if (!decode_value(value, &len))
		return bad_line(over, "no pairs of hexadecimal digits after 0x", value);
	if (len > UINT16_MAX)
		return bad_line(over, "the value is too long for an xattr", name);
	return change_xattr(over->tree, inode, name, value, len);
}

/* ---- new entries ---- */

/* Put @inode among the sorted entries of @dir. */
static int insert_entry(struct source_tree *tree, struct source_inode *dir, const char *name,
			size_t len, struct source_inode *inode)
{
	struct vec entries = VEC_INIT(struct source_entry);
	u32 nr = dir->nr_entries;
	int ret = 0;

	for (u32 i = 0; i < nr && !ret; i++)
		ret = vec_push_copy(&entries, &dir->entries[i]);
	if (!ret)
		ret = source_add_entry(tree, &entries, name, len, inode);
	if (!ret)
		ret = source_set_entries(tree, dir, &entries);
	if (!ret)
		tree->source.nr_entries -= nr;
	vec_free(&entries);
	return ret;
}

/* A device that the source does not have, in a directory that it has. */
static int create_entry(struct overrides *over, const char *path, struct source_inode **ret_inode)
{
	size_t end = strlen(path), start;
	struct source_inode *dir, *inode;
	char *parent;
	int ret;

	while (end && path[end - 1] == '/')
		end--;
	start = end;
	while (start && path[start - 1] != '/')
		start--;
	if (end - start > MAX_NAME || !strncmp(path + start, "..", max(end - start, (size_t)2)))
		return bad_line(over, "no name for a new device", path);
	parent = strndup(path, start);
	if (!parent)
		return -ENOMEM;
	ret = source_lookup(&over->tree->source, parent, &dir);
	free(parent);
	if (ret || !S_ISDIR(dir->mode))
		return bad_line(over, "there is no directory for the new device", path);
	inode = source_new_inode(over->tree);
	if (!inode)
		return -ENOMEM;
	inode->mode = S_IFCHR | 0600;
	inode->atime = inode->mtime = inode->ctime = inode->otime = dir->mtime;
	*ret_inode = inode;
	return insert_entry(over->tree, dir, path + start, end - start, inode);
}

/* ---- lines ---- */

static int apply_setting(struct overrides *over, struct source_inode *inode, struct word *word)
{
	char *value = memchr(word->text, '=', word->len);
	const char *key = word->text;

	if (!value)
		return bad_line(over, "no setting like key=value", key);
	*value++ = '\0';
	if (!strncmp(key, "xattr.", 6))
		return set_xattr(over, inode, key + 6, value,
				 word->len - (size_t)(value - word->text));
	if (strlen(value) != word->len - (size_t)(value - word->text))
		return bad_line(over, "a zero byte in the value of", key);
	if (!strcmp(key, "mode"))
		return set_mode(over, inode, value);
	if (!strcmp(key, "uid"))
		return set_id(over, value, &inode->uid);
	if (!strcmp(key, "gid"))
		return set_id(over, value, &inode->gid);
	if (!strcmp(key, "dev"))
		return set_device(over, inode, value);
	return bad_line(over, "unknown setting", key);
}

static int apply_line(struct overrides *over, char *line)
{
	struct source_inode *inode;
	struct word path, word;
	int ret = next_word(over, &line, &path);

	if (ret <= 0)
		return ret;
	if (strlen(path.text) != path.len)
		return bad_line(over, "a zero byte in the path", path.text);
	line += strspn(line, BLANKS);
	if (!*line)
		return bad_line(over, "nothing is set for", path.text);
	ret = source_lookup(&over->tree->source, path.text, &inode);
	if (ret == -ENOENT && (!strncmp(line, "dev=", 4) || strstr(line, " dev=") ||
			       strstr(line, "\tdev=")))
		ret = create_entry(over, path.text, &inode);
	else if (ret)
		return bad_line(over, errno_text(ret), path.text);
	while (!ret && (ret = next_word(over, &line, &word)) > 0)
		ret = apply_setting(over, inode, &word);
	return ret;
}

static int apply_lines(struct overrides *over, FILE *file)
{
	char *line = NULL;
	size_t size = 0;
	ssize_t len;
	int ret = 0;

	while (!ret && (len = getline(&line, &size, file)) >= 0) {
		over->line++;
		if (strlen(line) != (size_t)len) {
			ret = bad_line(over, "a zero byte in the line", line);
			break;
		}
		if (len && line[len - 1] == '\n')
			line[--len] = '\0';
		if (len && line[len - 1] == '\r')
			line[--len] = '\0';
		if (line[strspn(line, BLANKS)] != '#')
			ret = apply_line(over, line);
	}
	if (!ret && ferror(file)) {
		ret = -EIO;
		error("cannot read %s: %s", over->path, errno_text(ret));
	}
	free(line);
	return ret;
}

int source_apply_overrides(const char *path, struct source_tree *tree)
{
	struct overrides over = { .tree = tree, .path = path };
	FILE *file = fopen(path, "re");
	int ret;

	if (!file) {
		ret = -errno;
		error("cannot read %s: %s", path, errno_text(ret));
		return ret;
	}
	ret = apply_lines(&over, file);
	fclose(file);
	return ret;
}
