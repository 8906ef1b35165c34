#include "actors/api/deleted.h"

#include "actors/api/json_records.h"

void deleted_add(struct deleted *sum, const struct deleted *batch)
{
    sum->images += batch->images;
    sum->faces += batch->faces;
    sum->templates += batch->templates;
    sum->photos += batch->photos;
    sum->files += batch->files;
}

void reply_deleted(struct http_request *request, const struct deleted *d)
{
    struct buf out = {0};

    buf_printf(&out,
               "{\"deleted\":{\"images\":%lld,\"faces\":%lld,\"templates\":%lld,\"photos\":%lld},\"waits\":["
               "{\"for\":\"files\",\"uploads\":%lld,\"until\":\"each node has removed uploads, thumbnails and crops: "
               "within seconds, a node that is down when it is back\"},"
               "{\"for\":\"database\",\"until\":\"its log is emptied: within seconds; a server does it by its own "
               "rules\"},"
               "{\"for\":\"backups\",\"until\":\"you delete those that were made before\"}]}",
               (long long)d->images, (long long)d->faces, (long long)d->templates, (long long)d->photos,
               (long long)d->files);
    reply_json(request, 200, &out);
}
