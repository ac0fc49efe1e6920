data "aws_caller_identity" "current" {}
data "aws_partition" "current" {}
data "aws_region" "current" {}

locals {
  retention_s         = 1209600 # 14 days, the most that SQS keeps
  message_bytes_max   = 262144  # an inbox message is at most 200 KiB
  redrive_receive_max = 5

  # Built from their names: a queue cannot refer to itself, nor each of the two to the other.
  arn_prefix = join(":", [
    "arn", data.aws_partition.current.partition, "sqs",
    data.aws_region.current.name, data.aws_caller_identity.current.account_id,
  ])
  inbox_arn        = "${local.arn_prefix}:${var.queue}"
  dead_letters_arn = "${local.arn_prefix}:${var.queue}-dlq"
}

# Policies stand in the queues, not beside them: the provider waits 25 s for each resource of SQS.
resource "aws_sqs_queue" "dead_letters" {
  name                      = "${var.queue}-dlq"
  message_retention_seconds = local.retention_s
  max_message_size          = local.message_bytes_max
  sqs_managed_sse_enabled   = true
  policy                    = templatefile("${var.policies}/queue.json", { queue_arn = local.dead_letters_arn })

  redrive_allow_policy = jsonencode({
    redrivePermission = "byQueue"
    sourceQueueArns   = [local.inbox_arn]
  })
}

resource "aws_sqs_queue" "inbox" {
  name                       = var.queue
  visibility_timeout_seconds = var.visibility_timeout_s
  message_retention_seconds  = local.retention_s
  max_message_size           = local.message_bytes_max
  sqs_managed_sse_enabled    = true
  policy                     = templatefile("${var.policies}/queue.json", { queue_arn = local.inbox_arn })

  redrive_policy = jsonencode({
    deadLetterTargetArn = aws_sqs_queue.dead_letters.arn
    maxReceiveCount     = local.redrive_receive_max
  })
}
