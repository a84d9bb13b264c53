"""The sentences that `wording` recognises, by where they come from. Their English stands there; a test compares them.

Placeholders: n and n_… are numbers, kind_… texts of this table, and all others names, which stay as they are.
"""

from django.utils.translation import gettext_noop as _

PICTURES = (
    _("The file is empty."),
    _("This is not a file."),
    _("The file cannot be read: %(why)s."),
    _("The picture has no pixels."),
    _("The JPEG has more than %(n)s scans, which no camera or program writes."),
    _("The picture has Lab colours, which ImgSim does not read. Save it in RGB."),
    _("The crop must be x, y, width, height as fractions inside the picture, from 0 to 1; got %(crop)s."),
    _("This is not a picture that ImgSim reads: it takes %(kind_formats)s."),
    _("JPEG, PNG, GIF, WebP, BMP, TIFF or AVIF"),
    _("The file begins like a %(format)s picture, but its header is damaged or incomplete."),
    _("This is %(kind)s, which ImgSim does not read. Save it as %(kind_formats)s."),
    _("a HEIC picture"),
    _("a JPEG 2000 picture"),
    _("a JPEG XL picture"),
    _("a Photoshop file"),
    _("an icon"),
    _("a PostScript file"),
    _("a PDF file"),
    _("an SVG drawing"),
    _("a video"),
    _("The file breaks off before the end of the picture. Copy or download it again."),
    _("The picture is damaged and cannot be decoded. Copy it again or save it anew."),
    _("The file has %(kind_size)s; the limit is %(kind_limit)s. Make the picture smaller or save it as JPEG."),
    _("%(n)s MB"),
    _("more than %(n)s MB"),
    _("%(kind_picture)s is too large: the limit is %(n)s megapixels. Make it smaller and try again."),
    _("The picture"),
    _("The picture of %(n_width)s x %(n_height)s pixels"),
)
SEARCHES = (
    _("Pictures you search with are kept for an hour. Upload this one again."),
    _("The cache is out of reach; upload the picture again."),
    _("Choose a picture that results should be like, too."),
    _("These pictures cancel each other out. Take one of them off."),
    _("There is no image %(id)s."),
    _("There is no dataset %(name)s."),
    _("There are: %(names)s."),
    _("There are no datasets yet."),
    _("An image cannot be like and unlike what was searched for."),
    _("A search can have up to %(n)s marks."),
    _("Mark at least one image as like what you look for, and one more as like it or unlike it."),
    _("%(n)s pictures or %(n_bytes)s MB fit into one archive."),
    _("the same file"),
    _("the same picture"),
    _("the same picture, %(n)s of 64 bits differ"),
    _("the same picture, edited"),
    _("the same picture, mirrored or turned"),
    _("your picture is a part of it"),
    _("a part of your picture"),
)
LINKS = (
    _("Save the picture and upload it."),
    _("Searching by link is off on this site."),
    _("The link is redirected more than %(n)s times."),
    _("%(host)s took more than %(n)s seconds. Try again, or save the picture and upload it."),
    _("The connection to %(host)s is not safe: its certificate or its encryption is wrong."),
    _("%(host)s does not answer. Try again later, or look at the link."),
    _("%(host)s gave an answer that is no web server's."),
    _("%(host)s redirects the link to nowhere."),
    _("%(host)s redirects the link to no address."),
    _("This link leads to a web page; open the picture itself and copy its address."),
    _("The server sends the file compressed, though it was asked not to."),
    _("The server sent an empty file. Open the link in your browser to see what it gives."),
    _("The connection ended before the file did. Try again."),
    _("The file has %(kind_size)s. Save it, make it smaller and upload it."),
    _("The server has nothing at this link. Look whether the address is complete."),
    _("The server does not give this file to everybody. Save the picture and upload it."),
    _("The server could not give the file. Try again later, or save the picture and upload it."),
    _("The link has more than %(n)s characters."),
    _("Only links that begin with http:// or https:// are fetched."),
    _("Only ports 80 and 443 are asked, not %(port)s."),
    _("The link has a name or a password before its server."),
    _("An address in numbers is taken as four decimal ones only."),
    _("There is no server called %(host)s, or it cannot be found from here. Look for a typing error."),
    _("This link leads into a private network, not to the public internet."),
    _("This is no link that can be fetched. %(kind_why)s. Copy the picture's address again."),
    _("It has a space, a backslash or a control character in it"),
    _("A part of it cannot be read"),
    _("It names no server"),
    _("The name of its server cannot be one"),
    _("The address of its server cannot be one"),
    _("%(kind_reason)s (HTTP %(status)s)"),
)
IMPORTS = (
    _("Reading it stopped the worker each time it was tried. Save it again with a picture editor."),
    _("The name of the file is no valid Unicode. Rename it, or import it without --in-place."),
    _("Archives inside archives are not opened. Unpack it and import it."),
    _("It is encrypted. Unpack the archive with its password and import the folder."),
    _("The archive is damaged at this file: %(why)s."),
    _("The archive is damaged here (%(why)s). What came before was imported."),
    _("The folder cannot be read: %(why)s. Nothing in it was imported."),
    _("There are no pictures in %(path)s."),
    _("Left out, because they are no pictures: %(which)s."),
    _("Stopped by hand. Import again to go on."),
    _(
        "No file has a row in the table of labels: its first row names %(row)s, and the first file is %(file)s. The "
        "pictures are in, without labels: correct the table, and import again to add them."
    ),
    _(
        "%(n)s pictures still wait: another process holds them, or held them when it was killed less than five minutes "
        "ago. Run the same command again then to go on."
    ),
    _(
        "No worker answers. The pictures are in and wait: start a worker (celery -A imgsim_site worker), or import "
        "again with --sync."
    ),
    _("A process that embeds was killed, perhaps for want of memory."),
    _("Embedding failed (%(why)s)."),
    _("What was embedded stays: run the same command again to go on."),
)
ENCODERS = (
    _("No encoder is installed yet."),
    _("Run: manage.py install_encoder %(name)s"),
    _("There is no encoder named %(name)s. Installed: %(kind_names)s."),
    _("none"),
    _("no encoder in %(folder)s: run `manage.py install_encoder %(name)s`"),
    _("the encoder in %(folder)s is damaged: %(why)s; run `manage.py install_encoder %(name)s`"),
    _("%(name)s was fitted on other weights than those of %(backbone)s: train it again"),
    _("no encoder is called %(name)s; known: %(names)s"),
    _("it is the default one"),
    _("it is the backbone of %(names)s"),
)
DESCRIPTIONS = (
    _("MobileNetV2, ImageNet, 1280-d: small and quick, a good start for photographs of things."),
    _("EfficientNet-Lite0, ImageNet, 1280-d, with 1000 class names that become tags."),
    _("MobileNet (the first version), ImageNet, 1024-d: small and quick."),
    _("ResNet50, ImageNet, 2048-d: a common measure for others."),
    _("VGG16, ImageNet, 512-d: short vectors of texture and shape, slow to compute."),
    _("A ResNet-50 trained without labels (AugNet), 2048-d: good for near-duplicates, weak by class."),
    _("ViT-B/16, ImageNet-21k, 768-d: a vision transformer, strong by class."),
    _("ViT-S/16, ImageNet, 384-d: a small vision transformer."),
    _("ViT-Ti/16, ImageNet, 192-d: the smallest vision transformer."),
    _("DINOv2 ViT-S/14, trained without labels, 384-d: strong at single objects and fine differences."),
    _("DINOv2 ViT-B/14, trained without labels, 768-d: as dinov2_small, better and slower."),
    _("%(preset)s on %(backbone)s, trained on %(n)s images of %(dataset)s."),
    _("%(preset)s, trained on %(n)s images of %(dataset)s."),
    _("Linear head on %(backbone)s (%(method)s), fitted on %(n)s images of %(n_labels)s labels of %(dataset)s."),
    _("Linear head on %(backbone)s (%(method)s), fitted on %(n)s images of %(dataset)s."),
)
TRAININGS = (
    _("Feedback goes with the method discriminant, not with %(method)s."),
    _("With feedback, shrinkage and numbers a vector are chosen by what held-out searches say."),
    _("%(preset)s does not learn from feedback. The recipe that does: %(recipe)s."),
    _("%(name)s has no image that can be used. Import some, or wait for the workers."),
    _("%(name)s has no image that can be used."),
    _(
        "No image of %(name)s outside the test split has a label. Import it again with --labels, or label images in "
        "the admin."
    ),
    _("All labelled images of %(name)s are %(label)s; to tell classes apart, two are needed."),
    _("%(name)s has %(n)s labelled images of %(n_classes)s classes; two of a class are needed."),
    _("%(name)s has one image; there has to be one to learn from and one to check."),
    _("A pair needs two images of a label to learn from, and these have one: %(labels)s."),
    _("A picture of %(name)s cannot be read any more: %(kind_reason)s"),
    _("The dataset %(name)s is gone."),
    _("%(name)s is a linear head itself. Choose the encoder that it sits on."),
    _("%(name)s is a linear head, which has no network of its own to train."),
    _("The network of %(name)s is not on this machine. Install it again."),
    _("%(name)s takes pictures of %(n)s; another --input-size takes --from-scratch."),
    _("The numbers of a vector are from 1 to 4,000; got %(value)s."),
    _("A shrinkage is above 0 and at most 1; got %(value)s."),
    _("%(option)s must be from %(n)s to %(n_most)s; got %(value)s."),
    _("%(option)s must be above 0 and below 100; got %(value)s."),
    _("--input-size must be a multiple of 16 for an autoencoder; got %(value)s."),
    _("--input-size must be a multiple of 32 to train from scratch; got %(value)s."),
    _(
        "%(name)s has embedded %(n)s of the %(n_images)s images. First run: manage.py embed_images --encoder "
        "%(name)s --dataset %(dataset)s --wait"
    ),
    _("Nothing can be fitted: %(kind_why)s."),
    _("there are no validation images to choose the shrinkage on"),
    _("from %(n)s vectors 1 to %(n_most)s directions can be kept, and %(value)s are asked for"),
    _("there are no vectors to take the mean of"),
    _("at least two classes are needed, and there is none"),
    _("at least two classes are needed, and there is one"),
    _("%(n)s images of %(n_classes)s classes are too few: two a class are needed"),
    _("%(name)s cannot name an encoder: use up to 60 of a to z, 0 to 9, - and _, a letter or digit first."),
    _("There is an encoder named %(name)s already. Choose another --name."),
    _("Another encoder was named %(name)s meanwhile. Train again with another --name."),
    _("%(path)s cannot be written: %(why)s."),
)
RECIPES = (
    _("a matrix on the vectors that are stored already, fitted in seconds; no picture is read"),
    _("a MobileNet that learns to name the classes; its last hidden layer of 64 is the vector"),
    _("anchors and positives, one pair of each class a batch, in a small network for small pictures"),
    _("a convolutional autoencoder, which needs no labels; its latent numbers are the vector"),
    _("any installed network, frozen at first, with any loss"),
    _("fine-tune on %(name)s"),
    _("horizontal flip"),
    _("random brightness contrast"),
    _("random rotate 90"),
    _("flip"),
    _("rgb shift"),
    _("hue saturation value"),
    _("clahe"),
    _("random gamma"),
    _("blur"),
    _("to gray"),
    _("image compression"),
)
EVALUATIONS = (
    _("%(name)s was removed while it was evaluated."),
    _("The dataset %(name)s was deleted while it was evaluated."),
    _("A seed is from 0 to %(n)s; got %(value)s."),
    _("At least one query has to be asked; got %(value)s."),
    _("%(name)s has one image: there is no other to find."),
    _("%(name)s has one image of the split %(split)s: there is no other to find."),
    _("There is no split %(split)s. There are: %(splits)s."),
    _("%(name)s has no image that is ready. Import some, wait for the workers, or choose another split."),
    _(
        "%(name)s has no image of the split %(split)s that is ready. Import some, wait for the workers, or choose "
        "another split."
    ),
    _("No query has another image of its label to be found."),
    _(
        "No image among the queries has a label, so nothing says which hits are right. Label some, or import with "
        "--labels."
    ),
    _(
        "No image in the gallery has a label, so nothing says which hits are right. Label some, or import with "
        "--labels."
    ),
    _("All labelled images are %(label)s: any hit would be right."),
    _("each against all others"),
    _("each against all others of %(split)s"),
    _("%(dataset)s of the split %(split)s against all of the split %(gallery)s"),
    _("%(dataset)s of the split %(split)s against all"),
    _("%(dataset)s against all of the split %(gallery)s"),
    _("%(queries)s against all"),
    _("%(queries)s against %(gallery)s"),
)
JOBS = (
    _("Stopped before it began."),
    _("Stopped by hand."),
    _("Stopped. What was evaluated before is kept."),
    _("Stopped. To go on: manage.py train_encoder --resume %(job)s"),
    _("Stopped by hand. To go on: manage.py train_encoder --resume %(job)s"),
    _("It was killed."),
    _("Its worker was killed. It goes on where it was."),
    _("It was stopped before it was through. Run it again."),
    _("It was stopped before it was through. Run it again: it goes on where it was."),
    _("%(name)s can be searched with. It is not the default encoder."),
    _("%(name)s is trained. It answers no search until it is chosen."),
    _("%(name)s is gone."),
    _("%(name)s: mAP %(n_map)s, precision@1 %(n_precision)s."),
    _("Job %(job)s is no training that can be gone on with."),
    _("Job %(job)s is %(kind_state)s: only one that was stopped or killed goes on."),
    _("The folder of job %(job)s, %(folder)s, is not on this machine."),
    _(
        "The training broke off: %(why)s. What it wrote is in %(path)s; to go on: manage.py train_encoder --resume "
        "%(job)s"
    ),
    _("Waiting: another training runs on this machine."),
    _("Reading pictures: %(n)s of %(n_all)s"),
    _("Epoch %(n)s of %(n_all)s: batch %(n_batch)s of %(n_batches)s"),
    _("Epoch %(n)s of %(n_all)s: loss %(n_loss)s, mAP %(n_map)s"),
    _("Epoch %(n)s of %(n_all)s: loss %(n_loss)s, accuracy %(n_accuracy)s"),
    _("Epoch %(n)s of %(n_all)s: loss %(n_loss)s, validation loss %(n_valid)s"),
    _("Epoch %(n)s of %(n_all)s: loss %(n_loss)s, accuracy %(n_accuracy)s, validation loss %(n_valid)s"),
    _("Epoch %(n)s of %(n_all)s: loss %(n_loss)s"),
    _("Exporting the network and comparing the two"),
)
SENTENCES = (
    *PICTURES,
    *SEARCHES,
    *LINKS,
    *IMPORTS,
    *ENCODERS,
    *DESCRIPTIONS,
    *TRAININGS,
    *RECIPES,
    *EVALUATIONS,
    *JOBS,
)
