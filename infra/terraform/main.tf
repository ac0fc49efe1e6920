module "storage" {
  source = "./modules/storage"

  bucket           = var.bucket
  object_lock_days = var.object_lock_days
  force_destroy    = var.force_destroy
  policies         = "${path.root}/policies"
}

module "inbox" {
  source = "./modules/inbox"

  queue                = var.inbox_queue
  visibility_timeout_s = var.visibility_timeout_s
  policies             = "${path.root}/policies"
}

locals {
  arns = {
    bucket_arn      = module.storage.bucket_arn
    inbox_arn       = module.inbox.queue_arn
    dead_letter_arn = module.inbox.dead_letter_queue_arn
  }
}

resource "aws_iam_policy" "wallet" {
  name        = "${var.inbox_queue}-wallet"
  description = "Sends signed orders to the inbox; can never receive or delete a message."
  policy      = templatefile("${path.root}/policies/wallet.json", local.arns)
}

resource "aws_iam_policy" "sealer" {
  name        = "${var.inbox_queue}-sealer"
  description = "Receives orders, writes the chain of epochs; can delete no object of it."
  policy      = templatefile("${path.root}/policies/sealer.json", local.arns)
}
